"""Runs `recommender` commands in forked processes, so that each is spared the seconds of importing.

Reads one JSON object a line from standard input: `arguments`, `stderr` (the path of a pipe) and `file_limit` (bytes or null).
Answers with two lines: the process id, and when it has ended its exit code, negative for a signal.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from pathlib import Path

import implicit.als  # noqa: F401

import indexing.building  # noqa: F401
from recommender.cli import run


def main() -> None:
    for line in sys.stdin:
        wanted = json.loads(line)
        pid = os.fork()
        if not pid:
            child(wanted["arguments"], Path(wanted["stderr"]), wanted["file_limit"])
        print(f"pid {pid}", flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def child(arguments: list[str], stderr: Path, file_limit: int | None) -> None:
    """Run the command and leave by `os._exit`, never to return into the loop of the parent."""
    code = 70
    try:
        os.dup2(os.open(stderr, os.O_WRONLY), 2)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        code = run(arguments)
    except BaseException:
        traceback.print_exc(file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
