"""Synthetic worlds whose right answers are known by construction, built by the real builder with a real tiny model.

The world of two tastes: sixty films, half about space and half about gardens; forty people, each of whom watches films of
one taste only. Whoever watched one space film should be shown space films. Films of one taste share words and people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
from pydantic import SecretStr

from indexing.building import Outcome, reindex
from indexing.progress import Lines
from recommender.events import Consent, Event, EventType, Subject
from recommender.items import Item, ItemKind
from recommender.placements import Placements
from recommender.profile import Blending, BuildSettings, Collaborative, Judging
from recommender.settings import Settings
from recommender.store import open_store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When the world's generation is built; its events lie in the thirty days before."""

TASTES = ("space", "garden")
WORDS = {
    "space": ("rocket", "orbit", "planet", "comet", "astronaut", "galaxy", "moon", "probe"),
    "garden": ("rose", "tulip", "hedge", "compost", "gardener", "orchard", "seed", "meadow"),
}
FILMS = 60
PEOPLE = 40


def film_id(number: int) -> str:
    """Films 0, 2, 4 … are about space, 1, 3, 5 … about gardens."""
    return f"film-{number}"


def taste_of(item_id: str) -> str:
    """The taste that a film serves."""
    return TASTES[int(item_id.removeprefix("film-")) % 2]


def films(count: int = FILMS, *, seed: int = 0) -> list[Item]:
    """Films of both tastes in turn; every tenth is in French, prices rise with the number, film n is n days old."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        taste = TASTES[number % 2]
        words = rng.choice(WORDS[taste], 4, replace=False)
        made.append(
            Item(
                id=film_id(number),
                kind=ItemKind.MEDIA if number % 3 else ItemKind.ARTICLE,
                title=f"The {words[0]} and the {words[1]} ({1960 + number})",
                text=f"A story of {words[2]} and {words[3]}.",
                language="fr" if number % 10 == 9 else "en",
                categories=(taste,),
                tags=tuple(words[:2]),
                author=f"{taste}-author-{number % 4}",
                published_at=NOW - timedelta(days=number),
                price=float(number),
                attributes={"year": 1960 + number, "classic": number < 20},
            )
        )
    return made


def watched(user: str, item_id: str, at: datetime, **more: object) -> Event:
    """A full watch of a film, with an id made of its parts."""
    fields = {"id": f"{user}/{item_id}/{at.isoformat()}", "type": EventType.WATCH, "portion": 1.0, **more}
    return Event(subject=Subject.user(user), item_id=item_id, at=at, **fields)  # type: ignore[arg-type]


def watches(people: int = PEOPLE, count: int = FILMS, *, seed: int = 0) -> list[Event]:
    """Person n watches twelve films of taste n % 2, earlier numbers more often, over thirty days."""
    rng = np.random.default_rng(seed)
    events = []
    for person in range(people):
        own = np.arange(person % 2, count - 10, 2)
        weights = 1 / (1 + np.arange(len(own)))
        chosen = rng.choice(own, 12, replace=False, p=weights / weights.sum())
        minutes = np.sort(rng.choice(30 * 24 * 60 - 60, 12, replace=False))
        events += [
            watched(f"person-{person}", film_id(int(film)), NOW - timedelta(days=30) + timedelta(minutes=int(minute)))
            for film, minute in zip(chosen, minutes, strict=True)
        ]
    return events


def tiny_model(folder: Path) -> Path:
    """A real sentence-transformers model of static word vectors, 16 numbers each, in which words of one taste lie close."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace

    rng = np.random.default_rng(7)
    words = [word for taste in TASTES for word in (*WORDS[taste], taste)]
    vocabulary = {"[UNK]": 0, **{word: place for place, word in enumerate(words, 1)}}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    vectors = rng.normal(scale=0.4, size=(len(vocabulary), 16)).astype(np.float32)
    vectors[0] *= 0.01
    vectors[1 : 1 + len(words) // 2, 0] += 2
    vectors[1 + len(words) // 2 :, 1] += 2
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=vectors)], device="cpu").save(str(folder))
    return folder


@dataclass(frozen=True, eq=False)
class World:
    """A data folder with a store and an active generation. `outcome` is that of the first build."""

    settings: Settings
    build: BuildSettings
    outcome: Outcome

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.settings.data

    def reindex(self, *, now: datetime = NOW + timedelta(hours=1), **changed: object) -> Outcome:
        """Build again, with `changed` build settings."""
        build = self.build.model_copy(update=changed)
        return reindex(self.settings, build, Placements.default().get(""), Lines(StringIO()), now=now)


def build_settings(model: Path) -> BuildSettings:
    """Settings for worlds of this size, in which the usual ones would shrink factors to nothing."""
    collaborative = Collaborative(factors=16, regularisation=1.0)
    # One cut in time is enough to see a blend learnt; further ones would only take longer.
    return BuildSettings(embedder=str(model), judging=Judging(fewest=5), collaborative=collaborative, blending=Blending(cuts=1))


QUICK = BuildSettings(judging=Judging(fewest=1_000), blending=Blending(cuts=1))
"""For builds that are about something else: judging, and learning a blend on one cut after the other, take most of a small build's time."""
QUICKLY = "judging = { fewest = 1000 }\nblending = { cuts = 1 }\n"
"""The same as a file."""
JUDGED = "judging = { fewest = 5 }\nblending = { cuts = 1 }\n"
"""A file by which a build of a small world is judged, and as quick as that allows."""


def fill_store(data: Path, items: Sequence[Item], events: Sequence[Event], url: str = "") -> Settings:
    """A store below `data`, or in the database of `url`, with these items and events."""
    settings = Settings(data=data, store=SecretStr(url) if url else None)
    with open_store(settings.store_place, create=True) as store:
        store.upsert_items(items, now=NOW)
        outcomes = store.record_events(events, now=NOW, consent_default=Consent.ALL)
    assert {outcome.message for outcome in outcomes} <= {""}
    return settings


def build_world(
    folder: Path, *, items: Sequence[Item] | None = None, events: Sequence[Event] | None = None, model: Path | None = None, url: str = ""
) -> World:
    """A world of two tastes, or of the given items and events, below `folder`, which must exist; its store in the database of `url`, where
    one is given."""
    model = model or tiny_model(folder / "model")
    settings = fill_store(folder / "data", films() if items is None else items, watches() if events is None else events, url)
    build = build_settings(model)
    outcome = reindex(settings, build, Placements.default().get(""), Lines(StringIO()), now=NOW)
    assert outcome.activated, outcome.manifest.checks
    return World(settings, build, outcome)
