"""`recommender off-policy …`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from recommender.judging import Interval

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
_clip = click.option(
    "--clip",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="Largest weight that the clipped estimate lets stand.",
)
_seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all that is drawn.")


def _folder(files: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    path = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.option("--data", "folder", required=True, type=path, help=f"Folder of {files}.")


@click.group("off-policy", short_help="Estimate what a policy would have earned from another one's log.")
def off_policy_group() -> None:
    """Estimate what a policy would have earned, from the log of another one whose probabilities are known."""


@off_policy_group.command("estimate")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_clip
@_json
def estimate_command(file: Path, clip: float, as_json: bool) -> None:
    """Estimate from FILE (.csv, .jsonl, .parquet), a row for each logged decision.

    Columns reward, propensity and target_probability; optionally q_logged and q_target, the predictions of a reward model that has not
    seen the row, and cluster, whose rows count as one observation.
    """
    from eval.off_policy.estimators import all_estimates, clipping_bias
    from eval.off_policy.reading import read_logged
    from eval.off_policy.shown import diagnostics_line, estimates_table, figures
    from eval.off_policy.weight_diagnostics import diagnose

    log = read_logged(file)
    estimates, found = all_estimates(log, clip=clip), diagnose(log)
    shift, bound = clipping_bias(log, clip)
    if as_json:
        _print({**_figures(estimates), "clipping_bias": {"estimate": shift, "bound": bound}, "diagnostics": figures(found)})
        return
    console = Console()
    console.print(estimates_table(f"Target policy's mean reward, from {file.name}", estimates, {}))
    console.print(diagnostics_line(found), highlight=False)
    console.print(f"clipping at {clip:g} shifts by {shift:+.4g} as estimated, by {bound:.4g} at the most", highlight=False)


@off_policy_group.command("simulate")
@click.option("--replications", type=click.IntRange(min=1), default=500, show_default=True, help="Logs drawn of each world.")
@click.option("--rows", type=click.IntRange(min=5), default=10_000, show_default=True, help="Decisions in a log.")
@click.option(
    "--click-rate",
    "rates",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    multiple=True,
    default=(0.004, 0.2),
    show_default=True,
    help="The logging policy's click rate; a world for each.",
)
@_clip
@_seed
@_json
def simulate_command(replications: int, rows: int, rates: tuple[float, ...], clip: float, seed: int, as_json: bool) -> None:
    """Check estimates and intervals on worlds whose true answer is known."""
    import numpy as np

    from eval.off_policy.replications import replications as replicate
    from eval.off_policy.shown import figures, performance_table
    from eval.off_policy.simulation import make_world
    from indexing.progress import reporter

    console, report = Console(), reporter(sys.stderr)
    worlds: list[dict[str, Any]] = []
    for rate in rates:
        world = make_world(rate, np.random.default_rng(seed))
        with report.stage(f"world of {rate:g}") as advance:
            found = replicate(world, n=replications, rows=rows, clip=clip, seed=seed, progress=advance)
        if as_json:
            shown = {name: figures(one) for name, one in found.items()}
            worlds.append({"click_rate": rate, "truth": world.truth, "estimates": shown})
            continue
        policies = f"logging policy's click rate {world.logged_rate:.3%}, target policy's {world.truth:.3%}"
        title = f"{replications} logs of {rows:,} rows; {policies}; bias, RMSE and width as shares of the latter"
        console.print(performance_table(title, found))
    if as_json:
        _print({"replications": replications, "rows": rows, "seed": seed, "clip": clip, "worlds": worlds})


@off_policy_group.command("open-bandit")
@_folder("item_context.csv, random_all.csv and bts_all.csv")
@_clip
@_seed
@_json
def open_bandit_command(folder: Path, clip: float, seed: int, as_json: bool) -> None:
    """Estimate each of Open Bandit's two policies from the other one's log."""
    from eval.datasets.open_bandit import read_open_bandit
    from eval.off_policy.open_bandit import estimate_open_bandit
    from eval.off_policy.shown import diagnostics_line, estimates_table, figures

    bandit = read_open_bandit(folder)
    directions = estimate_open_bandit(bandit.random, bandit.bts, clip=clip, seed=seed)
    if as_json:
        _print(
            {
                f"{one.logged} to {one.judged}": {
                    **_figures(one.estimates),
                    "on_policy": figures(one.on_policy),
                    "diagnostics": figures(one.diagnostics),
                }
                for one in directions
            }
        )
        return
    console = Console()
    for one in directions:
        known = {f"on-policy ({one.judged}'s own log)": one.on_policy}
        console.print(estimates_table(f"Click rate of {one.judged}, from the log of {one.logged}", one.estimates, known))
        console.print(diagnostics_line(one.diagnostics), highlight=False)


@off_policy_group.command("coat")
@_folder("train.ascii, test.ascii and propensities.ascii")
@_clip
@_json
def coat_command(folder: Path, clip: float, as_json: bool) -> None:
    """Estimate Coat's mean rating of coats drawn at random from the ratings of coats that people picked."""
    from eval.datasets.coat import read_coat
    from eval.off_policy.coat import estimate_coat
    from eval.off_policy.shown import diagnostics_line, estimates_table, figures

    found = estimate_coat(read_coat(folder), clip=clip)
    if as_json:
        _print({**_figures(found.estimates), "truth": figures(found.truth), "diagnostics": figures(found.diagnostics)})
        return
    console = Console()
    console.print(estimates_table("Mean rating over all people and coats", found.estimates, {"drawn at random (the truth)": found.truth}))
    console.print(diagnostics_line(found.diagnostics), highlight=False)


def _figures(estimates: Mapping[str, Interval]) -> dict[str, Any]:
    from eval.off_policy.shown import figures

    return {"estimates": {name: figures(interval) for name, interval in estimates.items()}}


def _print(answer: Mapping[str, Any]) -> None:
    click.echo(json.dumps(answer, indent=2, allow_nan=False))
