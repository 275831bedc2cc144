"""How the kernel shares a processor among a server's threads."""

from __future__ import annotations

import logging
import os

from server.logs import LOGGER_NAME

log = logging.getLogger(LOGGER_NAME)


def without_preemption() -> bool:
    """Have no thread that is started from now on, nor this one, interrupted by another that has something to do all of a sudden; whether
    that is so now.

    A feed is worked out in many short turns with the interpreter's lock and without it, and each time that one lets go of it, a thread
    that waits for it wakes up. By default the kernel runs that at once, in the place of the one that would have gone on: feeds are worked
    on by turns, all the slower, and each ends late. As a batch job (`sched(7)`) every thread keeps its turn until it waits itself or has
    had its share; other processes are preferred to it no more than before. Only where the kernel knows such jobs, nobody has chosen another
    way, and it is allowed.
    """
    if not hasattr(os, "SCHED_BATCH"):
        return False
    try:
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        return os.sched_getscheduler(0) == os.SCHED_BATCH
    except OSError as error:
        # A container may forbid it; feeds are as right without.
        log.info("threads may be interrupted", extra={"error": str(error)})
        return False
