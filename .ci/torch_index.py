"""Print the option that adds a package index to a pip command, if the index answers within three seconds.

    python3 .ci/torch_index.py https://download.pytorch.org/whl/cpu

An empty address asks for none.

An index that is named but out of reach stalls pip for minutes, so it is asked first. Runs on a bare system Python, and
prints nothing on standard output where there is no answer; why not goes to standard error.
"""

from __future__ import annotations

import sys
import threading
import urllib.request

DEADLINE_S = 3.0


def ask(url: str, answers: list[str]) -> None:
    """Append to `answers` how the index at `url` answers a request for torch's page: "" when it has one, else what went wrong."""
    request = urllib.request.Request(f"{url.rstrip('/')}/torch/", method="HEAD", headers={"User-Agent": "pip"})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S):
            answers.append("")
    except (OSError, ValueError) as error:
        answers.append(str(error))


def main(arguments: list[str]) -> int:
    """Ask for the index named by the one argument; 2 when there is not one argument."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    if not arguments[0]:
        return 0
    answers: list[str] = []
    # A thread, because looking up a name obeys no timeout; as a daemon it is left behind at exit.
    asking = threading.Thread(target=ask, args=(arguments[0], answers), daemon=True)
    asking.start()
    asking.join(DEADLINE_S)
    trouble = answers[0] if answers else f"no answer within {DEADLINE_S:g} s"
    if trouble:
        print(f"{arguments[0]} is left out: {trouble}. torch comes from the index that pip is set to.", file=sys.stderr)
    else:
        print(f"--extra-index-url {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
