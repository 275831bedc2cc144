"""What an evaluation leaves behind: JSON, Parquet and the HTML report say the same, whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest

from eval.evaluation import Evaluation
from eval.outputs.every_figure import LISTS, RANKED, cell_of, columns_of, shown_amount
from eval.outputs.figures import COMPARED, Figures, at_k, figures_of
from eval.outputs.person_rows import write_person_rows
from eval.outputs.tables import shown, tables_of, title_of
from eval.outputs.writing import check_outputs, write_text
from eval.report.drawing import INK, Drawing
from eval.report.page import drawings, page
from eval.report.plots import scatter
from recommender.errors import InvalidInput
from recommender.feeds import SourceName
from recommender.items import Item, ItemKind
from recommender.judging.comparison import shown_chance
from recommender.judging.replay import BLEND
from recommender.times import to_micros

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Tags as they open and close, tables as rows of cells, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"th", "td"} & set(self.open[-1:]):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def text(figures: Figures) -> str:
    return page(figures)


@pytest.fixture(scope="module")
def made(figures: Figures) -> Mapping[str, Drawing]:
    return drawings(figures)


def test_figures_are_plain_finite_numbers_that_say_of_nobody_who_they_are(figures: Figures) -> None:
    written = json.dumps(figures, allow_nan=False)
    assert json.loads(written) == figures
    assert "person-" not in written


def test_every_figure_is_that_of_the_evaluation(whole: Evaluation, figures: Figures) -> None:
    for name, judgement in whole.comparison.judgements.items():
        assert figures["variants"][name]["ndcg@10"]["mean"] == pytest.approx(judgement.values["ndcg@10"].mean())
        assert at_k(figures, [10])[name]["recall"][10] == pytest.approx(judgement.values["recall@10"].mean(), abs=1e-6)
    blend, other = (whole.compared.judgements[name].values for name in ("blend", "other"))  # type: ignore[union-attr]
    assert list(figures["compared"]["metrics"]) == list(COMPARED)
    for metric, row in figures["compared"]["metrics"].items():
        assert row["difference"]["mean"] == pytest.approx((blend[metric] - other[metric]).mean())
        assert row["ours"]["mean"] - row["theirs"]["mean"] == pytest.approx(row["difference"]["mean"])
    assert set(figures["ablation"]) == {source.key for source in SourceName}


def test_a_learned_blend_shows_its_weights_and_what_its_trees_go_by(whole: Evaluation, figures: Figures) -> None:
    assert whole.learnt is not None
    assert figures["blend"]["by"] == "learning"
    assert figures["blend"]["ranker"]
    for place, source in enumerate(SourceName):
        assert figures["blend"]["weights"][source.key] == pytest.approx(whole.learnt.blend.weights[:, place])
    shares = list(figures["blend"]["importance"].values())
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)


def test_break_downs_show_the_rival_beside_the_blend(whole: Evaluation, figures: Figures, made: Mapping[str, Drawing]) -> None:
    (segments,) = [broken for broken in figures["break_downs"] if broken["by"] == "segment"]
    assert segments["variants"] == ["blend", whole.comparison.best_part, "other"]
    assert ">other<" in made["segment"].svg
    group = next(group for group in segments["groups"] if group["group"] == "plain")
    plain = np.array([whole.segments[int(person)] == "plain" for person in whole.comparison.held_out.people])
    assert whole.compared is not None
    assert group["means"]["other"]["mean"] == pytest.approx(whole.compared.judgements["other"].values["ndcg@10"][plain].mean())


def test_the_weights_of_the_placement_are_shown_where_it_blends(judge: Callable[..., Evaluation], whole: Evaluation) -> None:
    result = judge(placement=whole.placement.model_copy(update={"blend": "weights"}))
    blend = figures_of(result)["blend"]
    assert blend["by"] == "placement"
    assert blend["weights"]["content"] == list(whole.placement.weights.content)


def test_the_tables_of_the_report_hold_the_numbers_of_the_json(figures: Figures, text: str) -> None:
    rows = {row[0]: row for row in reversed(Page(text).rows)}
    for name, metrics in figures["variants"].items():
        lead = figures["blend_over"].get(name)
        read = {"item_item": "item–item", "co_occurrence": "co-occurrence"}.get(name, name)
        expected = [read, shown(metrics["ndcg@10"]), shown(metrics["recall@20"]), shown(metrics["mrr@10"])]
        expected += ["", ""] if lead is None else [shown(lead, signed=True), shown_chance(lead["p"])]
        assert rows[read][:-1] == expected
    for metric, words in (("ndcg@10", "NDCG@10"), ("hit_rate@10", "Hit rate@10")):
        row = figures["compared"]["metrics"][metric]
        assert rows[words][1:4] == [shown(row["ours"]), shown(row["theirs"]), shown(row["difference"], signed=True)]
    everything = [row for row in Page(text).rows]
    for broken in figures["break_downs"]:
        for group in broken["groups"]:
            means = [shown(group["means"][variant]) if group["means"] else "too few" for variant in broken["variants"]]
            assert [group["group"], f"{group['count']:,}", *means] in everything
    for group in figures["cold_start"]["groups"]:
        means = [shown(group["means"][variant]) for variant in figures["cold_start"]["variants"]]
        assert [group["group"], f"{group['count']:,}", *means] in everything
    for each in figures["reliability"]["bins"]:
        assert [f"{each['shown']:,}", f"{each['predicted']:.4f}", shown(each["happened"])] in everything
    for point in figures["learning_curve"]:
        assert shown(point["ndcg@10"]) in rows[f"{point['share']:.0%}"]


def test_every_figure_of_every_variant_stands_in_the_report(figures: Figures, text: str) -> None:
    rows = Page(text).rows
    for columns in (RANKED, LISTS):
        there = columns_of(figures, columns)
        place = rows.index(["variant", *(column.heading for column in there)])
        for row, name in zip(rows[place + 1 :], figures["variants"], strict=False):
            assert row[1:] == [cell_of(figures, name, column) for column in there]
    listed = {column.metric for column in (*RANKED, *LISTS)}
    for name, metrics in figures["variants"].items():
        assert {*metrics, *figures["overall"][name]} - {"items_shown"} <= listed


def test_the_terminal_shows_every_figure_of_the_blend_beside_the_best_source_and_popularity(figures: Figures) -> None:
    (ranked, lists) = [table for title, table in tables_of(figures) if title in ("What is ranked right", "What lists are like")]
    names = list(dict.fromkeys(["popularity", figures["best_part"], "blend"]))
    for table, some in ((ranked, ("MAP@10", "R-precision", "Hit rate@10")), (lists, ("Gini", "Novelty, bits", "People covered"))):
        assert [column.header for column in table.columns] == ["figure", *names]
        assert set(some) <= set(table.columns[0].cells)
    (novelty,) = [column for column in LISTS if column.metric == "novelty@10"]
    row = list(lists.columns[0].cells).index("Novelty, bits")
    assert list(lists.columns[-1].cells)[row] == cell_of(figures, "blend", novelty)


def test_amounts_beyond_one_are_shown_whole() -> None:
    assert shown_amount({"mean": 10.05, "low": 0.5, "high": 20.5}) == "10.05 [.50, 20.50]"
    assert shown_amount({"mean": 0.002, "low": 0.001, "high": 0.003}, 1_000) == "2.00 [1.00, 3.00]"
    assert shown_amount({"mean": 12345.6, "low": 12000.4, "high": 13000.0}) == "12346 [12000, 13000]"
    assert shown_amount({"mean": 0.25, "low": 0.2, "high": 0.3}) == ".2500 [.200, .300]"
    assert shown({"mean": 0.25, "low": 0.2, "high": 10.25}) == ".2500 [.200, 10.250]"


def test_the_report_is_one_well_formed_page_without_scripts_and_addresses(text: str) -> None:
    parsed = Page(text)
    assert parsed.open == []
    assert not {tag for tag, _ in parsed.tags} & {"script", "link", "img", "iframe", "object", "style_"}
    addresses = [value for _, attributes in parsed.tags for name, value in attributes.items() if name in ("src", "href", "xlink:href")]
    assert all(str(address).startswith("#") for address in addresses)
    assert set(re.findall(r"https?://[\w./]+", text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "url(http" not in text
    assert not re.search(r"[\"';\s]on\w+\s*=", re.sub(r">[^<]*<", "><", text))


def test_hostile_names_are_shown_as_text_in_tables_and_drawings(figures: Figures, made: Mapping[str, Drawing], text: str) -> None:
    (segments,) = [broken for broken in figures["break_downs"] if broken["by"] == "segment"]
    hostile = next(group["group"] for group in segments["groups"] if "script" in group["group"])
    assert "<script" not in text
    assert any(row[0] == hostile for row in Page(text).rows)
    assert "<i>other" not in text
    assert "&lt;i&gt;other" in text
    drawn = ElementTree.fromstring(made["segment"].svg)
    labels = ["".join(node.itertext()) for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert any(label.startswith(hostile[:20]) for label in labels)


def test_a_hostile_title_of_an_example_is_escaped(by_hand: Callable[..., Evaluation], query: Any, figures: Figures) -> None:
    title = "<script>alert(1)</script>{{ 7 * 7 }}"
    items = [Item(f"item-{number}", ItemKind.MEDIA, title=title) for number in range(3)]
    evaluation = by_hand(items, [query(0, [2], [0], {"content": [1], "blend": [0]})])
    from eval.examples import examples

    (example,) = examples(evaluation.material.catalogue, evaluation.comparison, "blend", "content")
    told = {
        "last": list(example.last),
        "wanted": list(example.wanted),
        "more": 0,
        "lists": dict(example.lists),
        "worth": dict(example.worth),
    }
    text = page({**figures, "examples": {"ours": "blend", "theirs": "content", "people": [told]}})
    assert "<script" not in text
    assert title in unescape(text)
    assert "49" not in text[text.index("Where two runs differ") :]


def test_drawings_share_no_name_and_are_in_the_colour_of_the_text(made: Mapping[str, Drawing], text: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert INK not in text
    assert "currentColor" in text
    assert "mathdefault" not in text
    used = {name for name in re.findall(r"(?:url\(#|href=\"#)([\w-]+)", text)}
    assert used <= set(ids)
    named = {"by_length", "scatter", "weights", "importance", "ablation", "learning_curve", "history length", "segment"}
    assert named | {"length_curve", "cold_start", "reliability"} <= set(made)
    for drawing in made.values():
        assert ElementTree.fromstring(drawing.svg).tag == "{http://www.w3.org/2000/svg}svg"


def test_every_drawing_is_told_in_words_and_has_its_table(made: Mapping[str, Drawing], text: str) -> None:
    parsed = Page(text)
    images = [attributes for tag, attributes in parsed.tags if tag == "div" and attributes.get("role") == "img"]
    assert len(images) == len(made) == text.count("<figcaption>")
    assert all(attributes["aria-label"] for attributes in images)
    assert sum(tag == "table" for tag, _ in parsed.tags) >= len(images)


def test_a_plain_evaluation_makes_a_report_too(judge: Callable[..., Evaluation]) -> None:
    figures = figures_of(judge())
    text = page(figures)
    assert not {"ablation", "compared", "learning_curve", "cold_start"} & set(figures)
    assert Page(text).open == []
    assert f"Only {figures['best_part'].replace('item_item', 'item–item').replace('co_occurrence', 'co-occurrence')}" in text


def test_a_picture_can_be_made_of_a_drawing(figures: Figures) -> None:
    assert scatter(figures, png=True).png.startswith(b"\x89PNG")


def test_a_row_a_person_and_variant_goes_into_parquet(whole: Evaluation, tmp_path: Path) -> None:
    write_person_rows(whole, tmp_path / "people.parquet")
    table = pq.read_table(tmp_path / "people.parquet")
    queries = len(whole.comparison.held_out)
    variants = [*whole.comparison.judgements, "other", *(f"without {source.key}" for source in SourceName)]
    assert table.num_rows == queries * len(variants)
    assert sorted(set(table["variant"].to_pylist())) == sorted(variants)
    rows = [row for row in table.to_pylist() if row["variant"] == BLEND]
    blend = whole.comparison.judgements[BLEND]
    assert [row["ndcg@10"] for row in rows] == blend.values["ndcg@10"].tolist()
    assert {row["person_kind"] for row in rows} == {"user"}
    assert rows[0]["person_id"] == whole.material.people[int(whole.comparison.held_out.people[0])].id
    assert rows[0]["history_length"] == len(whole.comparison.held_out.histories[0])
    assert rows[-1]["first_10"] == [whole.material.items[row].id for row in blend.lists[-1, :10]]
    assert {row["window"] for row in rows} == {"window 1 of 2", "window 2 of 2"}
    assert [to_micros(row["at"]) for row in rows] == whole.comparison.held_out.moments.tolist()  # type: ignore[union-attr]
    assert [row["segment"] for row in rows] == [whole.segments[int(person)] for person in whole.comparison.held_out.people]


def test_terminal_tables_fit_into_eighty_columns(figures: Figures) -> None:
    from rich.console import Console

    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        for title, table in tables_of(figures, [5, 10]):
            console.print(title, markup=False)
            console.print(table)
        printed = console.export_text()
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert "in 2 windows" in title_of(figures)


def test_an_output_that_cannot_be_written_is_refused_before_the_work_and_nothing_left(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept", encoding="utf-8")
    check_outputs({"--json": file, "--html": tmp_path / "new.html", "--parquet": None})
    assert file.read_text(encoding="utf-8") == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    for path, allowed in (
        (tmp_path, "this is a folder"),
        (file / "x.html", "a folder that exists"),
        (Path("/proc/x.html"), "can be written"),
    ):
        with pytest.raises(InvalidInput, match="--html: .*" + allowed):
            check_outputs({"--json": None, "--html": path})
    with pytest.raises(InvalidInput, match="another file than that of --json"):
        check_outputs({"--json": tmp_path / "same", "--html": tmp_path / "." / "same"})


def test_a_write_that_is_interrupted_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    write_text(path, "before")

    def interrupted(self: Path, text: str, encoding: str) -> None:
        self.write_bytes(text[:3].encode())
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_lists_of_a_variant_are_as_wide_as_the_curves(whole: Evaluation, figures: Figures) -> None:
    for name, judgement in whole.comparison.judgements.items():
        assert np.array_equal(judgement.hits.shape, (len(whole.comparison.held_out), len(figures["curves"][name]["recall"])))
