"""One reader at one moment: what every feed for them is made from, and what its later pages are bound to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from recommender.asker import Asker
from recommender.engine import Recommender
from recommender.events import Consent, Subject
from recommender.feeds import Query
from recommender.paging import binding
from server.asking import Moment, audience_of, meet, numbers_of
from server.deciding import Tools
from server.reading import Context, Wanted


@dataclass(frozen=True, eq=False)
class Reader:
    """`subject` as the store knows them, under the `consent` of the request, None where it brings none, in its `context` and `moment`."""

    subject: Subject
    consent: Consent | None
    asker: Asker
    engine: Recommender
    context: Context
    moment: Moment
    now: datetime

    @classmethod
    def of(cls, tools: Tools, subject: Subject, consent: Consent | None, context: Context, now: datetime) -> Reader:
        """Read the person, and take the engine with every change of the catalogue up to that read."""
        asker, engine = meet(tools.store, tools.live, subject, consent, tools.consent_default)
        return cls(subject, consent, asker, engine, context, Moment.of(context, engine), now)

    def query(self, wanted: Wanted, further: tuple[int, ...] = ()) -> tuple[Query, list[str]]:
        """What is to be ranked for a feed without items of the numbers `further`; and the ids of the request that no item has."""
        excluded, unknown = numbers_of(self.engine, wanted.exclude_ids)
        asker, moment = self.asker, self.moment
        query = Query(
            placement=wanted.placement,
            size=max(wanted.placement.slate_size, wanted.page_size),
            history=moment.joined(asker.history, self.now),
            consumed=asker.consumed | moment.consumed if len(moment.recent) else asker.consumed,
            dismissed=asker.dismissed,
            exclude=(*excluded.tolist(), *moment.excluded, *further),
            kinds=wanted.kinds,
            language=self.context.language,
            filter=wanted.filter,
            reasons=wanted.page_size,
            audience=audience_of(asker, self.context),
            region=self.context.region,
            muted=self.context.muted,
            owner=asker.owner(wanted.placement),
            seen=asker.seen,
        )
        return query, [*unknown, *moment.unknown]

    def bound_to(self, wanted: Wanted) -> bytes:
        """What must stay the same from page to page, 16 bytes."""
        return binding(
            subject=self.subject,
            placement=wanted.placement.name,
            context=vars(self.context),
            kinds=wanted.kinds,
            filter=wanted.filter,
            consent=self.consent,
        )
