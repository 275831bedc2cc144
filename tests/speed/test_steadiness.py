"""Which intervals of time a processor was undisturbed, by made-up probes; and the process that makes real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from waiting import soon

from server.bench.speed_probe import EVERY_S, SpeedProbe
from server.bench.steadiness import Speeds

FAST, SLOW = 30e-6, 52e-6
"""What a probe takes when nobody disturbs it, and when somebody does."""
SINCE = np.arange(0.1, 1.8, 0.05)
UNTIL = SINCE + 0.05


def probes(took: npt.ArrayLike) -> Speeds:
    """A probe every 20 ms from 0 on."""
    return Speeds(np.arange(len(np.asarray(took))) * 0.02, np.asarray(took, dtype=np.float64))


def test_a_steady_processor_is_never_disturbed() -> None:
    jitter = np.random.default_rng(1).uniform(0.95, 1.1, 100)
    assert probes(FAST * jitter).undisturbed(SINCE, UNTIL).all()


def test_intervals_beside_a_slow_probe_are_disturbed_and_others_not() -> None:
    # Slow from 1 s on.
    speeds = probes([FAST] * 50 + [SLOW] * 50)
    found = speeds.undisturbed(SINCE, UNTIL)
    # The last probe before 1 s was made at .98 s, so that what ended later is not known to have been quick all the time.
    assert found.tolist() == [bool(until <= 0.98) for until in UNTIL]
    assert "short loop took 30 µs at full speed, 52 µs otherwise" in speeds.in_words(0.5)


def test_where_everything_is_as_slow_nothing_is_disturbed() -> None:
    speeds = probes([SLOW] * 100)
    assert speeds.undisturbed(SINCE, UNTIL).all()
    assert "never otherwise" in speeds.in_words(1.0)


def test_a_freak_does_not_make_everything_else_slow() -> None:
    took = np.full(100, FAST)
    took[40] = FAST / 3
    assert probes(took).undisturbed(SINCE, UNTIL).all()


def test_what_was_not_probed_is_not_known_to_be_undisturbed() -> None:
    speeds = probes([FAST] * 100)
    sparse = Speeds(speeds.at[[0, 1, 2, 50, 51, 52]], speeds.took[:6])
    found = sparse.undisturbed(np.array([0.01, 0.5, -1.0, 1.01, 1.03]), np.array([0.03, 0.6, -0.5, 1.03, 1.05]))
    assert found.tolist() == [True, False, False, True, False]
    assert not Speeds(np.zeros(0), np.zeros(0)).undisturbed(SINCE, UNTIL).any()


def test_probes_of_several_spans_say_nothing_of_the_time_between_them() -> None:
    part = probes([FAST] * 5)
    joined = Speeds.joined([part, Speeds(part.at + 10, part.took)])
    assert joined.undisturbed(np.array([0.02, 5.0, 10.02]), np.array([0.06, 5.05, 10.06])).tolist() == [True, False, True]


def test_a_processor_is_probed_by_a_process_that_stays_on_it() -> None:
    processor = max(os.sched_getaffinity(0))
    with SpeedProbe(processor) as probe:
        assert os.sched_getaffinity(probe.pid) == {processor}
        began = time.monotonic()
        assert soon(lambda: len(probe.speeds().at) >= 5)
        speeds = probe.speeds()
        assert (np.diff(speeds.at) >= EVERY_S / 2).all()
        assert (speeds.took > 0).all()
        assert speeds.at[0] <= time.monotonic()
        assert speeds.at[-1] >= began
    assert not Path(f"/proc/{probe.pid}").exists()


def test_the_probe_ends_when_the_process_that_started_it_is_killed() -> None:
    program = (
        "from server.bench.speed_probe import SpeedProbe; import time\n"
        "if __name__ == '__main__':\n    with SpeedProbe(None) as probe:\n        print(probe.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        starter.send_signal(signal.SIGKILL)
        starter.wait()
        assert soon(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    """Whether a process is there that has not ended, whoever is to ask after it."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
