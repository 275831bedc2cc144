"""Build settings: what a generation is learnt and served with. They belong to the generation; its manifest keeps them.

The hash of these settings names the *served profile*: the same one is timed, judged and served.
"""

from __future__ import annotations

import hashlib
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from recommender.errors import InvalidInput
from recommender.events import EventType
from recommender.validation import refusal


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _none_for_auto(value: object) -> object:
    return None if value == "auto" else value


_AUTO = BeforeValidator(_none_for_auto)
"""Files say "auto" for what a build reads off the data; TOML knows no None."""
_HalfLife = Annotated[float | None, _AUTO]


def _weight(default: float) -> float:
    value: float = Field(default=default, ge=-100, le=100)
    return value


class EventWeights(_Settings):
    """How much one event of each type says about taste; negative ones speak against the item, 0 ignores the type.

    Where a read or watch carries its portion, the weight is multiplied by it. Impressions have no weight: being shown an item
    is nobody's choice.
    """

    view: float = _weight(0.5)
    click: float = _weight(0.7)
    read: float = _weight(1.0)
    watch: float = _weight(1.0)
    like: float = _weight(1.5)
    dislike: float = _weight(-0.5)
    hide: float = _weight(-0.5)
    save: float = _weight(1.0)
    share: float = _weight(1.5)
    cart: float = _weight(1.0)
    purchase: float = _weight(1.5)
    custom: float = _weight(0.0)

    def table(self) -> npt.NDArray[np.float32]:
        """Weight by `EventType` number, shape (14,), float32."""
        weights = np.zeros(max(EventType) + 1, dtype=np.float32)
        for name in type(self).model_fields:
            weights[EventType[name.upper()]] = getattr(self, name)
        return weights


@lru_cache(maxsize=128)
def _table_of(weights: EventWeights) -> npt.NDArray[np.float32]:
    table = weights.table()
    table.flags.writeable = False
    return table


class Collaborative(_Settings):
    """Implicit-feedback matrix factorisation (ALS), served by exact fold-in."""

    factors: int = Field(default=256, ge=1, le=1_024)
    """Length of the item vectors."""
    regularisation: float = Field(default=60.0, gt=0, le=100_000)
    alpha: float = Field(default=2.0, gt=0, le=100_000)
    """Confidence that one unit of event weight adds, times the square root of how many pairs of person and item there are for each
    one with an event: what is rare says more."""
    iterations: int = Field(default=8, ge=1, le=500)
    most_people: int = Field(default=200_000, ge=1)
    """People learnt from at the most, drawn at random: item vectors are settled long before all of a million people are read, and each
    costs more than their events do."""
    history_decay: float = Field(default=0.85, gt=0, le=1)
    """A history's event counts this much less for every step that it lies back."""


class ItemItem(_Settings):
    """Linear item–item weights: ridge regressions of every item on others, without itself."""

    neighbours: int = Field(default=100, ge=1, le=10_000)
    """Largest weights kept per item."""
    dense_limit: int = Field(default=5_000, ge=0, le=100_000)
    """Up to so many items with events every item is regressed on all others; above, on the items that share most people with it."""
    reach: int = Field(default=1_600, ge=2, le=20_000)
    """Above the dense limit, items are solved in blocks of like ones, each regressed on at most so many items."""
    regularisation: float = Field(default=4_000.0, gt=0, le=10_000_000)
    """Ridge penalty, times the square root of the share of pairs of person and item that have an event: what is rare says more."""
    degree_exponent: float = Field(default=0.25, ge=0, le=2)
    """Heavy consumers count less: a person's row is divided by (sum of weights) to this power. 0 is off."""
    item_exponent: float = Field(default=0.25, ge=0, le=2)
    """The penalty of an item grows with the sum of its weights to twice this power. 0 is off."""
    history_decay: float = Field(default=0.9, gt=0, le=1)
    """A history's event counts this much less for every step that it lies back."""


class CoOccurrence(_Settings):
    """Normalised co-occurrence: how many people two items share, over the degrees of both."""

    neighbours: int = Field(default=300, ge=1, le=10_000)
    """Largest weights kept per item."""
    person_exponent: float = Field(default=1.0, ge=0, le=2)
    """A person's weight falls with (sum of weights) to this power."""
    source_exponent: float = Field(default=1.0, ge=0, le=2)
    """Exponent of the degree of the item that was consumed."""
    target_exponent: float = Field(default=0.0, ge=0, le=2)
    """Exponent of the degree of the item that is scored; the higher, the less popular items are favoured."""
    history_decay: float = Field(default=0.95, gt=0, le=1)
    """A history's event counts this much less for every step that it lies back."""


class Transitions(_Settings):
    """What tends to follow what, from the order of each person's events."""

    neighbours: int = Field(default=200, ge=1, le=10_000)
    """Largest weights kept per item."""
    window: int = Field(default=30, ge=1, le=500)
    """Pairs of events at most so many steps apart count."""
    step_decay: float = Field(default=0.85, gt=0, le=1)
    """A pair counts this much less for every further step between its events."""
    backward: float = Field(default=0.4, ge=0, le=1)
    """What the item that came later says about the earlier one, as a share of the other direction."""
    source_exponent: float = Field(default=0.3, ge=0, le=2)
    """Exponent of the total weight that leaves the item that was consumed."""
    target_exponent: float = Field(default=0.1, ge=0, le=2)
    """Exponent of the total weight that reaches the item that is scored."""
    history_decay: float = Field(default=0.6, gt=0, le=1)
    """A history's event counts this much less for every step that it lies back."""


class Graph(_Settings):
    """A low-pass filter on the graph of people and items: the leading singular vectors of the normalised interactions."""

    factors: int = Field(default=512, ge=1, le=2_048)
    """Singular vectors kept, where the matrix has so many."""
    least_per_factor: int = Field(default=10, ge=1, le=100_000)
    """People, and items, for each vector at the least: more vectors than that remember people instead of telling tastes."""
    most_people: int = Field(default=200_000, ge=1)
    """People learnt from at the most, drawn at random."""
    exponent: float = Field(default=0.5, ge=0, le=4)
    """Each singular vector counts by its singular value to this power; 0 counts all alike (the ideal low-pass filter)."""
    history_decay: float = Field(default=0.95, gt=0, le=1)
    """A history's event counts this much less for every step that it lies back."""


class Sequence(_Settings):
    """A transformer that reads a history in its order and says what comes next (SASRec)."""

    factors: int = Field(default=128, ge=1, le=1_024)
    """Length of an item's embedding and of a state; taken up to the next multiple of `heads`."""
    blocks: int = Field(default=1, ge=0, le=8)
    """Layers of attention, each with a wide layer behind it; 0 goes by the newest item alone."""
    heads: int = Field(default=2, ge=1, le=64)
    """Parts of a state that attend for themselves."""
    length: int = Field(default=50, ge=1, le=200)
    """Newest items of a history that are read, and of each person that are learnt from."""
    passes: int = Field(default=12, ge=1, le=1_000)
    """Times that everybody is learnt from, within `most_tokens`."""
    most_tokens: int = Field(default=12_000_000, ge=1)
    """Next items learnt from in all passes together. There are fewer passes, and where one is too much fewer people, drawn at random."""
    later_share: float = Field(default=0.33, gt=0, le=1)
    """Where `most_tokens` leaves fewer passes than wanted, a fit starts from that on fewer events before it, in the same build, and learns
    from this share of them: most there is to learn it knows already."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the numbers of a state that are left out while learning."""
    negatives: int = Field(default=512, ge=1, le=100_000)
    """Other items drawn for each step, next to which the true next items are to stand out."""
    learning_rate: float = Field(default=0.002, gt=0, le=1)
    """Largest step of the optimiser (Adam); after a start it falls with every step."""
    fewest: int = Field(default=20_000, ge=1)
    """With fewer next items to learn from there is no model, and the source is silent."""


class Content(_Settings):
    """Embedding neighbours of a history's interests."""

    interests: int = Field(default=3, ge=1, le=16)
    """Interest vectors per history at the most."""
    same_interest: float = Field(default=0.5, ge=-1, le=1)
    """Cosine above which two items belong to one interest."""
    history_decay: float = Field(default=0.9, gt=0, le=1)
    """A history's event counts this much less for every step that it lies back."""
    exact_limit: int = Field(default=5_000, ge=0)
    """Up to so many items vectors are scanned exactly; above, the index is a compressed one."""
    near: int = Field(default=100, ge=0, le=1_000)
    """Nearest items kept of each above that limit, so that feeds gather them instead of searching; 0 searches for every feed."""


class NearDuplicates(_Settings):
    """Which items tell the very same, so that a slate shows one of them alone."""

    likeness: float = Field(default=0.95, ge=0, le=1)
    """Cosine of their vectors from which two items do."""
    within_hours: float = Field(default=0.0, ge=0, le=1_000_000)
    """Only where both were published within so many hours; 0 for whenever they were."""


class Transfer(_Settings):
    """Items that nobody consumed yet borrow the item–item weights of their neighbours in content."""

    neighbours: int = Field(default=100, ge=1, le=10_000)
    """Neighbours with events that lend to an item."""
    label_share: float = Field(default=0.8, ge=0, le=100)
    """How much likeness in labels tells lenders apart, next to likeness in meaning at 1."""
    own_share: float = Field(default=0.1, ge=0, le=100)
    """What a lender in the history itself speaks for, next to what its weights do."""
    degree_exponent: float = Field(default=0.25, ge=0, le=2)
    """Popular lenders lend less: by the sum of their weights to this power."""
    fewest: float = Field(default=0.5, gt=0, le=1_000_000)
    """Items with less event weight than this borrow."""


class Popularity(_Settings):
    """Counts of positive events, fading with age."""

    half_life_days: _HalfLife = Field(default=None, gt=0, le=100_000)
    """None takes what the events ask for: the half-life under which counts foretell best what is taken up next."""
    recent_half_life_days: _HalfLife = Field(default=None, gt=0, le=100_000)
    """Half-life of the short memory from which the ranker sees a trend; None takes a tenth of the other."""


class Response(_Settings):
    """How often an item is taken up when it is shown, next to all others; shows and what came of them fade with age."""

    half_life_hours: float = Field(default=12.0, gt=0, le=100_000)
    prior: float = Field(default=1.0, gt=0, le=1_000_000)
    """Times taken up, as expected of its shows, that every item has had beforehand: what was shown little stays near 1."""


class Ranker(_Settings):
    """Trees that order the leading candidates of a query (LambdaMART)."""

    trees: int = Field(default=300, ge=1, le=1_000)
    """Trees at the most; fewer where more do not serve the judges better."""
    leaves: int = Field(default=7, ge=2, le=64)
    """Leaves of one tree at the most."""
    learning_rate: float = Field(default=0.2, gt=0, le=1)
    """Share of what a tree has learnt that counts."""
    least_in_leaf: int = Field(default=600, ge=1, le=100_000)
    """Candidates that a leaf is learnt from at the least."""
    penalty: float = Field(default=20.0, ge=0, le=100_000)
    """Ridge penalty on what a leaf adds."""
    feature_share: float = Field(default=0.5, gt=0, le=1)
    """Share of the features that a tree may go by, drawn anew for each."""
    truncation: int = Field(default=20, ge=1, le=1_000)
    """Order matters among so many leading candidates of a query."""
    depth: int = Field(default=100, ge=2, le=2_000)
    """Candidates of each query that trees are grown on: those that weights put first, among which order is decided."""
    folds: int = Field(default=5, ge=2, le=20)
    """Parts that people are dealt into; each is judged by trees that were grown on all the others."""
    judges: int = Field(default=2_000, ge=1)
    """People by whom, so judged, trees are counted and chosen over weights: as many parts as it takes, all where there are fewer people."""
    patience: int = Field(default=15, ge=1, le=1_000)
    """Growing stops when so many trees in a row did not serve the judges better."""


class Blending(_Settings):
    """How a build learns to blend the sources, on people and times that an inner fit of them has not seen."""

    share: float = Field(default=0.2, gt=0, lt=0.9)
    """The newest share of what may be learnt from that the inner fit does not see; without times, this share of each person's items."""
    reveals: tuple[float, ...] = Field(default=(0.5, 0.25, 0.75, 0.0), min_length=1, max_length=10)
    """Shares of a person's held-out events that count as history; the blend is learnt on each person at all of these moments."""
    history_decays: tuple[float, ...] = Field(default=(0.6, 0.8, 0.9, 0.95, 0.98, 1.0), max_length=20)
    """What is tried in place of each source's own `history_decay`, where events have times, and taken where it serves held-out people
    better by more than a standard error; none to keep those that are set."""
    people: int = Field(default=10_000, ge=1)
    """People that the blend is learnt on at the most, those of all ways in which events were cut together, at each cut in time."""
    cuts: int = Field(default=4, ge=1, le=20)
    """Cuts in time at the most, each before the one before it, that the blend is learnt on; each takes another fit."""
    enough: int = Field(default=1_000, ge=1)
    """People from whom on no earlier cut is taken."""
    candidates: int = Field(default=200, ge=10, le=2_000)
    """Candidates of each that the blend is learnt on: those that some source ranks highest."""
    fewest: int = Field(default=100, ge=1)
    """With fewer people the placement's weights blend the sources."""
    ranker: Literal["auto", "always", "never"] = "auto"
    """Whether trees order the leading candidates: "auto" only where they do so better, by more than a standard error, for people that they
    were not trained on, and for those of no cut worse for certain."""
    fewest_for_ranker: int = Field(default=500, ge=1)
    """With fewer people no ranker is trained."""
    trees: Ranker = Ranker()

    @field_validator("reveals")
    @classmethod
    def _shares(cls, reveals: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(reveals)) < len(reveals) or not all(0 <= reveal < 1 for reveal in reveals):
            raise ValueError("different shares of 0 or more, below 1")
        return reveals

    @field_validator("history_decays")
    @classmethod
    def _factors(cls, decays: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < decay <= 1 for decay in decays):
            raise ValueError("factors above 0, at most 1")
        return decays


class Judging(_Settings):
    """How a build judges itself before it is let in (on a twin that has not seen what it is judged on)."""

    share: float = Field(default=0.2, gt=0, lt=0.9)
    """The newest share of events that the twin does not see and is judged on."""
    reveal: float = Field(default=0.5, ge=0, lt=1)
    """Share of a judged person's events after the cut that count as history, as they would while the generation serves."""
    people: int = Field(default=5_000, ge=1)
    """People judged at the most, drawn at random."""
    fewest: int = Field(default=20, ge=1)
    """With fewer people to judge on, figures would mean nothing and the comparison is left out."""


class Gate(_Settings):
    """What a build must come up to before it is let in. None of it changes what is learnt or served."""

    least_kept: float = Field(default=0.5, ge=0, le=1)
    """Share of the parent's items, and of its events, that must still be there: a loss of more points to a broken import."""
    most_growth: float = Field(default=10.0, ge=1, le=1_000_000)
    """Times the parent's items, and its events, that may be there at the most: more points to an import that went in under other ids."""
    growth_free: int = Field(default=100_000, ge=0)
    """Up to so many items or events may be there whatever the parent had, since what begins grows fast."""
    retrieval_recall: float = Field(default=0.95, ge=0, le=1)
    """Share of the 100 nearest vectors that a search must find, beside a comparison with all."""
    finds_itself: float = Field(default=0.99, ge=0, le=1)
    """Share of sampled items that must come first when their own vector is searched for."""
    reachable_from: int = Field(default=20, ge=1)
    """Categories of so many live items or more must be in a feed that is filtered to them."""
    empty_feeds: float = Field(default=0.01, ge=0, le=1)
    """Share of sampled people's feeds that may be empty though something may be shown."""
    latency_ms: float = Field(default=1_000.0, gt=0, le=3_600_000)
    """Milliseconds that the median feed must stay below."""
    latency_ratio: float = Field(default=5.0, gt=1, le=1_000)
    """Times the parent's median feed that it must stay below."""


class BuildSettings(_Settings):
    """Everything that a build needs besides data, an embedder and a seed."""

    event_weights: EventWeights = EventWeights()
    half_life_days: _HalfLife = Field(default=None, gt=0, le=100_000)
    """Age at which an event counts half in the training matrix; None takes four times the half-life of popularity, and 180 at the
    least, since tastes outlast what is popular."""
    person_limit: int = Field(default=500, ge=1, le=100_000)
    """Newest events of one person that are learnt from, so that no bot explodes co-occurrence."""
    history_cap: int = Field(default=200, ge=1, le=200)
    """Newest events of a history that a feed goes by."""
    collaborative: Collaborative = Collaborative()
    item_item: ItemItem = ItemItem()
    co_occurrence: CoOccurrence = CoOccurrence()
    transitions: Transitions = Transitions()
    graph: Graph = Graph()
    sequence: Sequence = Sequence()
    content: Content = Content()
    near_duplicates: NearDuplicates = NearDuplicates()
    transfer: Transfer = Transfer()
    popularity: Popularity = Popularity()
    response: Response = Response()
    blending: Blending = Blending()
    judging: Judging = Judging()
    gate: Gate = Gate()
    embedder: str = Field(default="auto", min_length=1)
    """Name or folder of a sentence-transformers model; "auto" takes the MiniLM weights of the installed package."""
    embed_precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = Field(default=0, ge=0, le=2**31 - 1)

    @property
    def weight_table(self) -> npt.NDArray[np.float32]:
        """Weight by `EventType` number, shape (14,), float32, read-only; the same array every time."""
        return _table_of(self.event_weights)

    @property
    def hash(self) -> str:
        """Twelve hex digits that change when any setting does but those of the gate, which change nothing of what is learnt and served."""
        return hashlib.sha256(self.model_dump_json(exclude={"gate"}).encode()).hexdigest()[:12]


def load_build_settings(path: Path | None) -> BuildSettings:
    """Build settings from the TOML file `path`, or the defaults without one. Raises `InvalidInput` naming file and key."""
    if path is None:
        return BuildSettings()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return BuildSettings.model_validate(table)
    except FileNotFoundError:
        raise InvalidInput(str(path), "no such file", "a TOML file of build settings") from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(str(path), str(error), "a TOML file of build settings") from error
    except ValidationError as error:
        raise refusal(f"{path}: ", error, BuildSettings) from error
