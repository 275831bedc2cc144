"""Work in a process of its own, beside which this one goes on without either waiting for the other's interpreter.

Its own program, and not one of `multiprocessing`'s, which runs the script that asked for the work once more unless that was written for
it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from recommender.errors import RecommenderError

LESS_URGENT = 10
"""By how much (nice(2)) the work gives way to this process. Where both want all cores it takes what is left over: threads of one sum, each
of which waits for the slowest, would lose several times what it gains."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Made = TypeVar("Made")


def done_apart(what: str, work: Callable[..., Made], *given: object) -> Made:
    """What `work`, a function of a module, makes of what is `given`, all of which can be pickled; `what` names the work in errors. It has
    one thread for numerical sums, so that the same comes of it however many cores there are.

    Raises `RecommenderError` with what it raised, of which the process writes more to the standard error, and where the process ended
    early. It ends when this one does, however that comes about, and is not interrupted with it.
    """
    # What was sent ends with the end of this process and not before: that is how the other one knows.
    with subprocess.Popen(
        # What happens to lie in the working folder is no module of ours.
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump((work, given), process.stdin, pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
            failed, made = pickle.load(process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            process.kill()
            code = process.wait()
            raise RecommenderError(f"the process of {what} ended early, with code {code}, perhaps for want of memory") from error
        except BaseException:
            process.kill()
            raise
    if failed:
        raise RecommenderError(f"the process of {what} failed: {made}")
    result: Made = made
    return result


def main() -> None:
    """Do the work that stands in the standard input, and write what comes of it to the standard output."""
    os.nice(LESS_URGENT)
    taken, given = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What the work prints is no part of what it makes.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    work, arguments = pickle.load(taken)
    threading.Thread(target=_end_with, args=(taken,), daemon=True).start()
    try:
        made: tuple[bool, Any] = False, work(*arguments)
    except Exception as error:
        traceback.print_exc()
        made = True, f"{type(error).__name__}: {error}"
    pickle.dump(made, given, pickle.HIGHEST_PROTOCOL)
    given.flush()
    # Not by way of the interpreter's end, which would wait for the thread that reads.
    os._exit(0)


def _end_with(taken: Any) -> None:
    taken.read()
    os._exit(1)


if __name__ == "__main__":
    main()
