"""What composing slates costs: the same feeds by placements that ask for more and more."""

from __future__ import annotations

from pathlib import Path

from server.bench.breakdown import stages_of_a_feed
from server.bench.traffic import Traffic

PIN = '{ name = "pin", do = "pin", filter = "price > 10.0", slot = 3 }'
BOOST = """{ name = "boost", do = "boost", filter = 'kind == "article"', factor = 1.5 }"""
LIMIT = '{ name = "limit", do = "limit", of = "categories", at_most = 3, within = 10 }'
ENSURE = """{ name = "ensure", do = "ensure", filter = 'kind == "media"', at_least = 1, within = 5 }"""
ALL_OF_IT = "all of it"
EVERYTHING = (
    "variety = { strength = 0.3, rotation = 0.1 }",
    "impressions = { discount = 0.2 }",
    "exploration = { share = 0.1 }",
    f"rules = [{PIN}, {BOOST}, {LIMIT}, {ENSURE}]",
)
WAYS: dict[str, tuple[str, ...]] = {
    "as ranked": ('variety = { near_duplicates = "allow" }',),
    "the default": (),
    "variety": ("variety = { strength = 0.3 }",),
    "rotation": ("variety = { rotation = 0.1 }",),
    "impressions": ("impressions = { discount = 0.2 }",),
    "trials": ("exploration = { share = 0.1 }",),
    "a pin": (f"rules = [{PIN}]",),
    "a boost": (f"rules = [{BOOST}]",),
    "a limit": (f"rules = [{LIMIT}]",),
    "so many ensured": (f"rules = [{ENSURE}]",),
    ALL_OF_IT: EVERYTHING,
}
"""Settings of a placement, by what they ask for."""


def write_placements(file: Path, way: str) -> None:
    """Write a file of one placement that asks for what `way`, one of `WAYS`, names."""
    file.write_text("\n".join(["[placements.home]", *WAYS[way], ""]), encoding="utf-8")


def costs_of_composing(data: Path, traffic: Traffic, feeds: int) -> dict[str, dict[str, float]]:
    """Microseconds of processor time of a feed for a known person who is no regular, by each of `WAYS`: of the whole handler, of its stage
    that fills the slate, and what the whole has more than as ranked; the mean of `feeds`."""
    file = data / "composing.toml"
    made = {}
    for name in WAYS:
        write_placements(file, name)
        stages = stages_of_a_feed(data, traffic, feeds, file)
        made[name] = {"µs": sum(stages.values()), "slate µs": stages["slate"]}
    plain = made["as ranked"]["µs"]
    return {name: {**costs, "more µs": costs["µs"] - plain} for name, costs in made.items()}
