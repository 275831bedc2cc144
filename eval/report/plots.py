"""The report's drawings, each a function of the figures that `eval.outputs.figures` makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.curves import CURVES
from eval.outputs.figures import Figures
from eval.outputs.words import in_words, metric_in_words
from eval.report.drawing import BLUE, BROWN, GREEN, GREY, INK, OLIVE, ORANGE, PINK, PURPLE, RED, SKY, Drawing, bare, drawn
from recommender.judging.comparison import LEADING
from recommender.judging.replay import BLEND

Floats = npt.NDArray[np.float64]
COLOURS = (BLUE, GREEN, RED, PURPLE, SKY, BROWN, PINK, OLIVE, GREY)
MARKERS = "osDv^<>Ph"
SIDE_BY_SIDE = ((ORANGE, "o"), (BLUE, "s"), (GREEN, "^"))
"""Colour and marker of the blend, and of what stands beside it."""
APART = 0.3
WIDTH = 8.2
IMPORTANT = 15
"""Features of the ranker that are drawn."""
LABEL = 28
"""Letters of a group's name that are drawn; the table beside has all."""


def look_of(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker of each variant, the same in every drawing; the blend is the thick one."""
    others = [name for name in names if name != BLEND]
    looks: dict[str, dict[str, Any]] = {
        name: {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)], "linewidth": 1.3}
        for place, name in enumerate(others)
    }
    return {**looks, BLEND: {"color": ORANGE, "marker": "*", "linewidth": 2.8}}


def by_length(figures: Figures, *, png: bool = False) -> Drawing:
    """Recall, NDCG and precision against the length of the list, all variants."""
    curves, looks = figures["curves"], look_of(list(figures["curves"]))
    titles = {"recall": "Recall@k", "ndcg": "NDCG@k", "precision": "Precision@k"}
    with drawn("by-length", WIDTH, 3.9, png=png) as drawing:
        panels = drawing.figure.subplots(1, 3, squeeze=False)[0]
        for panel, curve in zip(panels, CURVES, strict=True):
            for name, values in curves.items():
                look = looks[name] | {"marker": ""}
                panel.plot(
                    np.arange(1, len(values[curve]) + 1), values[curve], label=in_words(name), zorder=3 if name == BLEND else 2, **look
                )
            panel.set(title=titles[curve], xlabel="k (length of the list)", xscale="log")
            panel.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
            panel.minorticks_off()
            panel.set_ylim(bottom=0)
        panels[0].set_ylabel("mean over people")
        handles, labels = panels[0].get_legend_handles_labels()
        drawing.figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return drawing


def scatter(figures: Figures, *, png: bool = False) -> Drawing:
    """Coverage of the catalogue against accuracy, a point for each variant."""
    looks = look_of(list(figures["variants"]))
    with drawn("coverage", WIDTH, 3.6, png=png) as drawing:
        axes = drawing.figure.subplots()
        for name, metrics in figures["variants"].items():
            shown, interval = figures["overall"][name]["coverage@10"], metrics[LEADING]
            look = looks[name] | {"linewidth": 0, "markersize": 13 if name == BLEND else 8}
            axes.plot([100 * shown], [interval["mean"]], label=in_words(name), zorder=3, **look)
            axes.vlines(100 * shown, interval["low"], interval["high"], color=looks[name]["color"], alpha=0.6, linewidth=1.4)
        axes.set(xlabel="catalogue in anybody's first ten (%)", ylabel="NDCG@10")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        drawing.figure.legend(loc="outside right center")
    return drawing


def groups(broken: Mapping[str, Any], name: str, *, png: bool = False) -> Drawing:
    """A break-down as points with intervals, the blend above the best single source and the rival in each group that has means."""
    found = [group for group in broken["groups"] if group["means"]]
    with drawn(name, WIDTH, 1.35 + 0.21 * len(broken["variants"]) * len(found), png=png) as drawing:
        axes = drawing.figure.subplots()
        places = np.arange(len(found))
        for variant, shift, colour, marker in _side_by_side(broken["variants"]):
            mean, low, high = _ends(found, variant)
            axes.hlines(places + shift, low, high, color=colour, linewidth=2, clip_on=False)
            axes.plot(mean, places + shift, marker, color=colour, markersize=6.5, clip_on=False, zorder=3, label=in_words(variant))
        axes.set_yticks(places, [f"{_short(group['group'])}  ({group['count']:,} {broken['unit']})" for group in found])
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"{metric_in_words(broken['metric'])}, mean and 95 % interval")
        bare(axes)
        drawing.figure.legend(loc="outside upper center", ncols=len(SIDE_BY_SIDE))
    return drawing


def by_known(broken: Mapping[str, Any], name: str, *, png: bool = False) -> Drawing:
    """The leading metric against how many events are known, for lengths that have means."""
    found = [group for group in broken["groups"] if group["means"]]
    lengths = np.array([int(group["group"]) for group in found])
    with drawn(name, WIDTH, 3.2, png=png) as drawing:
        axes = drawing.figure.subplots()
        for variant, shift, colour, marker in _side_by_side(broken["variants"]):
            mean, low, high = _ends(found, variant)
            axes.vlines(lengths + shift, low, high, color=colour, alpha=0.55, linewidth=1.6)
            axes.plot(lengths + shift, mean, marker=marker, color=colour, linewidth=1.4, markersize=5.5, label=in_words(variant))
        axes.set(xlabel=broken["by"], ylabel="NDCG@10")
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.set_ylim(bottom=0)
        drawing.figure.legend(loc="outside upper center", ncols=len(SIDE_BY_SIDE))
    return drawing


def reliability(found: Mapping[str, Any], *, png: bool = False) -> Drawing:
    """What share of items was taken up against the probability that was served, in bins, both to the same scale."""
    predicted = np.array([each["predicted"] for each in found["bins"]])
    mean, low, high = (np.array([each["happened"][end] for each in found["bins"]]) for end in ("mean", "low", "high"))
    # Most probabilities are small, so that only their orders of magnitude can be told apart; nothing at all stands at the left.
    least = float(min(part[part > 0].min(initial=1) for part in (predicted, mean)))
    with drawn("reliability", WIDTH, 3.6, png=png) as drawing:
        axes = drawing.figure.subplots()
        most = 1.3 * max(float(predicted.max()), float(high.max()), least)
        axes.plot([0, most], [0, most], color=INK, linewidth=1, alpha=0.5, label="as predicted")
        axes.vlines(predicted, low, high, color=ORANGE, linewidth=2, alpha=0.6)
        axes.plot(predicted, mean, marker="o", color=ORANGE, linewidth=1.4, label="blend")
        axes.set(xlabel="probability that was served, mean of a tenth of the items", ylabel="share that was taken up")
        powers = 10.0 ** np.arange(np.ceil(np.log10(least)), np.floor(np.log10(most)) + 1)
        ticks = [0.0, *powers.tolist()]
        for scale, ticked in ((axes.set_xscale, axes.set_xticks), (axes.set_yscale, axes.set_yticks)):
            scale("symlog", linthresh=least)
            # matplotlib's own words for powers are formulas, which stay as they are written here.
            ticked(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlim(0, most)
        axes.set_ylim(0, most)
        drawing.figure.legend(loc="outside upper center", ncols=2)
    return drawing


def _side_by_side(variants: Sequence[str]) -> list[tuple[str, float, str, str]]:
    """Each variant with how far from the middle of its group it stands, its colour and its marker."""
    looks = zip(variants, SIDE_BY_SIDE, strict=False)
    return [(name, APART * (place - (len(variants) - 1) / 2), *look) for place, (name, look) in enumerate(looks)]


def _ends(found: Sequence[Mapping[str, Any]], variant: str) -> Floats:
    """Mean, low and high of each group, shape (3, groups)."""
    return np.array([[group["means"][variant][end] for group in found] for end in ("mean", "low", "high")])


def ablation(lost: Mapping[str, Mapping[str, float]], *, png: bool = False) -> Drawing:
    """What the blend loses without each source, the most first."""
    order = sorted(lost, key=lambda name: -lost[name]["mean"])
    with drawn("ablation", WIDTH, 0.9 + 0.34 * len(order), png=png) as drawing:
        axes = drawing.figure.subplots()
        means = [lost[name]["mean"] for name in order]
        axes.barh(range(len(order)), means, color=[GREEN if mean >= 0 else RED for mean in means], height=0.62, alpha=0.85)
        axes.hlines(
            range(len(order)), [lost[name]["low"] for name in order], [lost[name]["high"] for name in order], color=INK, linewidth=1.3
        )
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(range(len(order)), [f"without {in_words(name)}" for name in order])
        axes.invert_yaxis()
        axes.set_xlabel("NDCG@10 lost, mean and 95 % interval (below 0: better without it)")
        bare(axes)
    return drawing


def learning(points: Sequence[Mapping[str, Any]], *, png: bool = False) -> Drawing:
    """NDCG@10 and recall@20 against the share of people learnt from."""
    shares = [100 * point["share"] for point in points]
    with drawn("learning", WIDTH, 3.0, png=png) as drawing:
        panels = drawing.figure.subplots(1, 2, squeeze=False)[0]
        for panel, metric, title in zip(panels, (LEADING, "recall@20"), ("NDCG@10", "Recall@20"), strict=True):
            panel.vlines(
                shares, [point[metric]["low"] for point in points], [point[metric]["high"] for point in points], color=ORANGE, alpha=0.6
            )
            panel.plot(shares, [point[metric]["mean"] for point in points], marker="o", color=ORANGE, linewidth=2)
            panel.set(title=title, xlabel="people learnt from (%)", ylabel="blend, mean over people")
            panel.set_xticks(shares)
            panel.set_xlim(0, 105)
            panel.set_ylim(bottom=0)
    return drawing


def weights(blend: Mapping[str, Any], *, png: bool = False) -> Drawing:
    """Weight of each source for each length of history."""
    names = list(blend["weights"])
    table = np.array([blend["weights"][name] for name in names])
    with drawn("weights", WIDTH, 0.95 + 0.3 * len(names), png=png) as drawing:
        panels = drawing.figure.subplots(1, table.shape[1], sharey=True, sharex=True, squeeze=False)[0]
        for place, (panel, label) in enumerate(zip(panels, lengths_in_words(blend["history_from"]), strict=True)):
            panel.barh(range(len(names)), table[:, place], color=ORANGE, height=0.62)
            panel.set(title=label, xlabel="weight")
            panel.locator_params(axis="x", nbins=4)
            bare(panel)
        panels[0].set_yticks(range(len(names)), [in_words(name) for name in names])
        panels[0].invert_yaxis()
    return drawing


def importance(shares: Mapping[str, float], *, png: bool = False) -> Drawing:
    """The features that the ranker's trees gained most by."""
    names = list(shares)[:IMPORTANT]
    with drawn("importance", WIDTH, 0.8 + 0.27 * len(names), png=png) as drawing:
        axes = drawing.figure.subplots()
        axes.barh(range(len(names)), [100 * shares[name] for name in names], color=PURPLE, height=0.62)
        axes.set_yticks(range(len(names)), [in_words(name) for name in names])
        axes.invert_yaxis()
        axes.set_xlabel("share of the trees' total gain (%)")
        bare(axes)
    return drawing


def lengths_in_words(starts: Sequence[int]) -> list[str]:
    """What the buckets of history length that begin at `starts` are called: "no history", "1–2 events", … "10+ events"."""
    ends = [*(start - 1 for start in starts[1:]), None]
    words = []
    for start, end in zip(starts, ends, strict=True):
        if end is None:
            words.append(f"{start}+ events")
        elif end == 0:
            words.append("no history")
        else:
            words.append(f"{start} events" if start == end else f"{start}–{end} events")
    return words


def _short(name: str) -> str:
    return name if len(name) <= LABEL else name[: LABEL - 1] + "…"
