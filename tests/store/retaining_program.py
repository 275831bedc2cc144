"""Lets go what is due: PLACE GENERATIONS NOW EVENT_DAYS SESSION_DAYS. Prints a line after each step."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from recommender.generation import Generations
from recommender.retention import Rules, apply
from recommender.store import open_store

where, generations, now, event_days, session_days = sys.argv[1:]
rules = Rules(int(event_days), 0, int(session_days), 0, 0, 0, 365)
with open_store(where if "://" in where else Path(where)) as store:
    apply(
        store,
        Generations(Path(generations)),
        rules,
        now=datetime.fromisoformat(now),
        told=lambda rule, done, total: print(rule, done, total, flush=True),
    )
