"""Retention: what goes by age, told before it is done, and done in short steps beside servers that write.

Days of the store count back from the newest that there is of each kind, so that a site at rest, or an archive that has just been imported,
loses nothing; what lies beside the store goes by the clock. What goes is whole days, sessions and generations.

- *Events* of a day go together. What people's state says stays: the newest of what each did, all that they consumed or dismissed, and what
  they said about consent. What has gone is not recognised any more, so that an event of such a day which comes late, or again, is rejected.
- *Sessions* that nobody came back to are forgotten, with their state; their events stay until these go.
- The served log (*decisions*), *refused* generations and *unfinished* builds go by days alone.

A kill at any point leaves whole what has not gone, and the next time goes on.
"""

from __future__ import annotations

from recommender.retention.applying import apply
from recommender.retention.due import Due, due
from recommender.retention.rules import DECISIONS, EVENTS, REFUSED, SESSIONS, UNFINISHED, Expired, Expiring, Rules

__all__ = ["DECISIONS", "EVENTS", "REFUSED", "SESSIONS", "UNFINISHED", "Due", "Expired", "Expiring", "Rules", "apply", "due"]
