"""Installing with make: what is checked before anything is fetched."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Index(BaseHTTPRequestHandler):
    """A package index that has torch below /whl/cpu and nothing elsewhere."""

    def do_HEAD(self) -> None:
        """Answer 200 for torch's page, 404 for any other."""
        self.send_response(200 if self.path == "/whl/cpu/torch/" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def index() -> Iterator[str]:
    """The address of a running index."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


def torch_index(address: str) -> tuple[str, str]:
    """What .ci/torch_index.py prints and says about `address`."""
    command = [sys.executable, "-I", str(ROOT / ".ci/torch_index.py"), address]
    result = subprocess.run(command, env={"no_proxy": "127.0.0.1"}, capture_output=True, text=True, check=True)
    return result.stdout, result.stderr


def test_an_index_that_answers_is_used(index: str) -> None:
    assert torch_index(f"{index}/whl/cpu/") == (f"--extra-index-url {index}/whl/cpu/\n", "")


def test_an_index_without_torch_is_left_out(index: str) -> None:
    printed, said = torch_index(f"{index}/elsewhere")
    assert printed == ""
    assert "404" in said


def test_an_index_that_accepts_and_then_stays_silent_is_left_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        printed, said = torch_index(f"http://127.0.0.1:{silent.getsockname()[1]}/whl/cpu")
    assert printed == ""
    assert "is left out" in said


def test_an_empty_address_asks_for_no_index() -> None:
    assert torch_index("") == ("", "")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without .venv: what make needs to start with."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in `checkout`."""
    # Under `make test` the outer make's flags would make the inner one announce its folders.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_make_without_a_python_says_what_to_install(checkout: Path) -> None:
    result = make(checkout, "test", "PYTHON=no-such-python")

    assert result.returncode != 0
    assert "no no-such-python here: install Python 3.11 or newer" in result.stderr
    assert not (checkout / ".venv").exists()


def test_make_with_an_older_python_says_which_it_is_and_which_is_needed(checkout: Path) -> None:
    older = checkout / "python3.9"
    pretend = "import sys; sys.version_info = (3, 9, 2); sys.version = '3.9.2 x'; exec(sys.argv[1])"
    older.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{pretend}" "$2"\n')
    older.chmod(0o755)

    result = make(checkout, "demo", f"PYTHON={older}")

    assert result.returncode != 0
    assert f"{older} is Python 3.9.2, needed is 3.11 or newer" in result.stderr
    assert not (checkout / ".venv").exists()


def test_make_alone_lists_its_targets(checkout: Path) -> None:
    listed = [line.split()[1] for line in make(checkout).stdout.splitlines()]
    assert listed == ["help", "demo", "test", "soak", "lint", "proto", "wheel", "clean"]


def test_an_install_is_done_again_when_its_inputs_change_and_only_then(checkout: Path) -> None:
    stamp = checkout / ".venv/.installed"
    stamp.parent.mkdir()
    stamp.touch()
    unchanged = make(checkout, "-n", "test").stdout
    after_constraints = make(checkout, "-n", "-W", "constraints.txt", "test").stdout
    after_pyproject = make(checkout, "-n", "-W", "pyproject.toml", "test").stdout

    assert "pip install" not in unchanged
    assert "pytest" in unchanged
    assert "pip install" in after_constraints
    assert "pip install" in after_pyproject
