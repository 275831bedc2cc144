"""A PostgreSQL server of the tests' own: made in a temporary folder, reached over a socket and a free port of this machine, and stopped in
the end."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

PASSWORD = "p:w/d@#%"
"""With all the signs that a URL has a use for."""
SHOWN_PASSWORD = "p%3Aw%2Fd%40%23%25"
UNPRIVILEGED = ("postgres", "nobody")
"""Whom the server runs as where the tests run as root, whom PostgreSQL refuses: the first that is there."""
START_S = 60.0
STOP_WITH_US = 'cat; kill -INT "$1"'
"""A shell's line that waits for the end of its input, which comes when this process ends, however that comes about."""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # Nothing here has to survive this machine.
    "fsync": "off",
    "max_connections": "200",
    "log_min_messages": "fatal",
}


class Unavailable(Exception):
    """No server can be started here; says why."""


def binaries() -> Path:
    """The folder of PostgreSQL's programs. Raises `Unavailable`."""
    folders = []
    with suppress(OSError, subprocess.CalledProcessError):
        folders.append(Path(subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True).stdout.strip()))
    found = shutil.which("initdb")
    if found:
        folders.append(Path(found).resolve().parent)
    # Debian installs several versions beside each other, and none on the path.
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
    for folder in folders:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise Unavailable("PostgreSQL's initdb and postgres are not here; on Debian: apt-get install postgresql")


class Cluster:
    """A running server with a superuser `tester`."""

    def __init__(self, folder: Path) -> None:
        """Make and start a server in `folder`, which must exist, and to which others may come. Raises `Unavailable`."""
        self._programs = binaries()
        self._owner = _unprivileged()
        self.folder = folder
        self._data = folder / "data"
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        if self._owner is not None:
            os.chown(folder, self._owner.pw_uid, self._owner.pw_gid)
        password = folder / "password"
        password.write_text(PASSWORD, encoding="ascii")
        password.chmod(0o644)
        made = [self._programs / "initdb", "--pgdata", self._data, "--username=tester", f"--pwfile={password}", "--auth=scram-sha-256"]
        self._run(*made, "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in {**SETTINGS, "unix_socket_directories": folder}.items())
        self.start()

    def start(self) -> None:
        """Start the server, which must not be running, and wait until it answers."""
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self._as_owner())  # type: ignore[call-overload]
        watch = ["sh", "-c", STOP_WITH_US, "sh", str(self._process.pid)]
        self._watcher = subprocess.Popen(watch, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, process_group=0)
        give_up = time.monotonic() + START_S
        while subprocess.run([self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.stop()
                raise Unavailable(f"PostgreSQL did not start: {(self.folder / 'log').read_text(encoding='utf-8')[-2000:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: at SIGINT it cuts all connections, at SIGQUIT it stops as if it had crashed."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.kill()
            watcher.communicate()
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def url(self, database: str, *, password: str = SHOWN_PASSWORD) -> str:
        """The URL of `database`."""
        return f"postgresql://tester:{password}@127.0.0.1:{self.port}/{database}"

    def new(self, template: str = "template0") -> str:
        """The URL of a new database, which holds what the URL or name `template` does; nobody may be connected to that."""
        name = f"test_{secrets.token_hex(6)}"
        self.say(f'CREATE DATABASE {name} TEMPLATE "{template.rpartition("/")[2]}"')
        return self.url(name)

    def say(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows of a statement, as the superuser."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def drop(self, url: str) -> None:
        """Remove the database of `url`, whoever is connected to it."""
        self.say(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def cut(self, database: str) -> None:
        """End all connections to the database of a name or URL, as an administrator may."""
        self.say(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database.rpartition('/')[2]}'")

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False, **self._as_owner())  # type: ignore[call-overload]
        if done.returncode:
            raise Unavailable(f"{Path(command[0]).name} failed: {done.stderr}")

    def _as_owner(self) -> dict[str, object]:
        # A group of its own keeps Ctrl-C, which the tests see to themselves, from the server.
        owner = self._owner
        return {"process_group": 0} | ({} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []})


def _unprivileged() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise Unavailable(f"the tests run as root, which PostgreSQL refuses, and there is none of the users {', '.join(UNPRIVILEGED)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
