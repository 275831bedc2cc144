"""A run of the benchmark as a whole: of what and when, and what came of it. Tables, JSON and Markdown all go by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from eval.bench.bandits import Simulated
from eval.bench.result import Result
from eval.off_policy.open_bandit import Direction
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.served_profile import served_profile


@dataclass(frozen=True, eq=False)
class Report:
    """`results` in the order of judging; `directions`: off-policy estimates by name of the log's folder; `simulated`: of worlds of known
    truth; `skipped`: a sentence for each set that could not be judged. `versions`: of libraries, by name."""

    at: datetime
    settings: BuildSettings
    placement: Placement
    versions: Mapping[str, str]
    results: tuple[Result, ...] = ()
    directions: Mapping[str, tuple[Direction, ...]] | None = None
    simulated: tuple[Simulated, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def profile_in_words(self) -> str:
        """The served profile's hash, and what it is of."""
        placement = self.placement
        return (
            f"served profile {served_profile(self.settings, placement)} (build settings {self.settings.hash}, placement {placement.name} "
            f"{placement.version}: {placement.candidates} candidates of each source, ranker to depth {placement.ranker_depth})"
        )

    @property
    def versions_in_words(self) -> str:
        """Names and versions."""
        return ", ".join(f"{name} {version}" for name, version in self.versions.items())
