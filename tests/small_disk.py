"""Disks that are full or read-only: real ones in a mount namespace of their own, or a limit on files, which any user may set."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

LIFE_S = 1_800
"""Seconds after which a disk goes, whatever became of the test that made it."""
CHUNK = 4_096


class Disk(Protocol):
    """`path`: where it is for this process; `seen`: where it is for the processes that `started` starts."""

    path: Path
    seen: Path

    def started(self, arguments: Sequence[str], **given: Any) -> subprocess.Popen[Any]:
        """A process that has the disk."""
        ...

    def fill(self, *processes: subprocess.Popen[Any]) -> None:
        """Take all space that is left, from these processes at least."""
        ...

    def free(self, *processes: subprocess.Popen[Any]) -> None:
        """Give it back."""
        ...


class Unavailable(Exception):
    """Why no such disk can be had here."""


class MountedDisk:
    """A file system that only this process, by way of /proc, and those that it starts there see; made by `mounted`."""

    def __init__(self, holder: subprocess.Popen[str], seen: Path, mount: str) -> None:
        self._holder = holder
        self._mount = mount
        self.seen = seen
        self.path = Path(f"/proc/{holder.pid}/root{seen}")

    def started(self, arguments: Sequence[str], **given: Any) -> subprocess.Popen[Any]:
        """See `Disk`."""
        return subprocess.Popen([*self._within(), *arguments], **given)

    def fill(self, *processes: subprocess.Popen[Any]) -> None:
        """See `Disk`."""
        with (self.path / "filler").open("ab", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(CHUNK))
            except OSError:
                return

    def free(self, *processes: subprocess.Popen[Any]) -> None:
        """See `Disk`."""
        (self.path / "filler").unlink(missing_ok=True)

    def mount(self, options: str) -> None:
        """Mount it again, with other options."""
        subprocess.run([*self._within(), "mount", "-o", f"remount,{options}", str(self.seen)], check=True)

    def mount_anew(self) -> None:
        """Take a disk that has failed away, and mount it as it was made; nobody may have it open."""
        subprocess.run([*self._within(), "sh", "-c", f"umount '{self.seen}' && {self._mount}"], check=True)

    def fail(self) -> None:
        """Have the kernel find an error in the file system and let nobody write to it any more, as it does when a disk fails."""
        source = next(line.split()[0] for line in self._mounts() if line.split()[1] == str(self.seen))
        Path(f"/sys/fs/ext4/{Path(source).name}/trigger_fs_error").write_text("1")

    def _mounts(self) -> list[str]:
        return Path(f"/proc/{self._holder.pid}/mounts").read_text().splitlines()

    def _within(self) -> list[str]:
        return ["nsenter", "--target", str(self._holder.pid), "--mount", "--"]


class LimitedFiles:
    """A folder whose processes may be kept from writing anything to any file: the kernel refuses it as a full disk does."""

    def __init__(self, folder: Path) -> None:
        self.path = self.seen = folder

    def started(self, arguments: Sequence[str], **given: Any) -> subprocess.Popen[Any]:
        """See `Disk`."""
        return subprocess.Popen(list(arguments), **given)

    def fill(self, *processes: subprocess.Popen[Any]) -> None:
        """See `Disk`."""
        self._limit(1, *processes)

    def free(self, *processes: subprocess.Popen[Any]) -> None:
        """See `Disk`."""
        self._limit(resource.RLIM_INFINITY, *processes)

    def _limit(self, size: int, *processes: subprocess.Popen[Any]) -> None:
        for process in processes:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def mounted(folder: Path, megabytes: int, *, ext4: bool = False) -> Iterator[MountedDisk]:
    """A disk of so many megabytes, in memory or, `ext4`, in a file; it is gone at the end. Raises `Unavailable`."""
    missing = [program for program in ("unshare", "nsenter", "mount") if shutil.which(program) is None]
    if missing:
        raise Unavailable(f"there is no {missing[0]}")
    seen = folder / "disk"
    seen.mkdir()
    if ext4:
        image = folder / "disk.img"
        with image.open("wb") as file:
            file.truncate(megabytes * 2**20)
        made = ["mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", str(image)]
        if shutil.which(made[0]) is None or subprocess.run(made, capture_output=True, check=False).returncode:
            raise Unavailable("no ext4 file system can be made")
        mount = f"mount -o loop,errors=remount-ro '{image}' '{seen}'"
    else:
        mount = f"mount -t tmpfs -o size={megabytes}m tmpfs '{seen}'"
    command = ["unshare", "--mount", "sh", "-c", f"{mount} && echo mounted && exec sleep {LIFE_S}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stderr is not None
            if holder.stdout.readline() != "mounted\n":
                raise Unavailable(f"nothing can be mounted: {holder.stderr.read().strip()}")
            yield MountedDisk(holder, seen, mount)
        finally:
            holder.kill()
