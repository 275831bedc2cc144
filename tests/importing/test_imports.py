"""Whole imports into a real store: what is written, what is set aside, and that a refused import changes nothing."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.errors import ImportRefused, InvalidInput, NotFound
from recommender.events import Consent, Subject
from recommender.items import ItemState


def item(id: str, **columns: object) -> dict[str, object]:
    return {"id": id, "kind": "media", "title": f"Title of {id}", **columns}


def event(id: str, item_id: str = "a", **columns: object) -> dict[str, object]:
    return {"id": id, "type": "like", "user_id": "u", "item_id": item_id, "at": "2026-01-31T20:15:00Z", **columns}


def test_items_from_all_formats_meet_in_the_catalogue(deployment: Any) -> None:
    csv = deployment.file("a.csv", "id,kind,title\na,article,Ä\n")
    jsonl = deployment.jsonl("b.jsonl", [item("b")])
    parquet = deployment.parquet("c.parquet", [item("c", title="🎬")])

    report = deployment.items(csv, jsonl, parquet)

    assert report.counts == {"created": 3, "updated": 0, "unchanged": 0, "superseded": 0}
    assert deployment.titles() == {"a": "Ä", "b": "Title of b", "c": "🎬"}


def test_importing_the_same_items_again_changes_nothing(deployment: Any) -> None:
    rows = [item("a", embedding=[0.1, 0.2], attributes={"year": 1999}, categories=["x"], valid_from="2026-01-01"), item("b")]
    file = deployment.jsonl("items.jsonl", [*rows, item("a", title="later"), item("b")])
    deployment.items(file)
    with deployment.store() as store:
        before = store.change_sequence()

    report = deployment.items(file)

    assert report.counts == {"created": 0, "updated": 0, "unchanged": 2, "superseded": 2}
    with deployment.store() as store:
        assert store.change_sequence() == before


@pytest.mark.parametrize("batch", [1, 2, 5_000])
def test_of_rows_with_one_id_the_last_one_holds_across_batches_and_files(deployment: Any, batch: int) -> None:
    first = deployment.jsonl("1.jsonl", [item("a", title="one"), item("b"), item("a", title="two")])
    second = deployment.jsonl("2.jsonl", [item("c"), item("a", title="three")])

    report = deployment.items(first, second, batch=batch)

    assert report.counts == {"created": 3, "updated": 0, "unchanged": 0, "superseded": 2}
    assert deployment.titles()["a"] == "three"


def test_a_bad_later_row_does_not_take_the_place_of_a_good_one(deployment: Any) -> None:
    report = deployment.items(deployment.jsonl("items.jsonl", [item("a", title="good"), item("a", title=["bad"])]), limit="1")

    assert (report.rows, report.valid, report.rejected) == (2, 1, 1)
    assert deployment.titles() == {"a": "good"}


def test_a_changed_item_is_updated_and_keeps_its_number(deployment: Any) -> None:
    deployment.items(deployment.jsonl("1.jsonl", [item("a"), item("b")]))
    with deployment.store() as store:
        numbers = store.item_numbers(["a", "b"])

    report = deployment.items(deployment.jsonl("2.jsonl", [item("a", title="new"), item("b")]))

    assert report.counts == {"created": 0, "updated": 1, "unchanged": 1, "superseded": 0}
    with deployment.store() as store:
        assert store.item_numbers(["a", "b"]) == numbers


def test_a_refused_import_leaves_no_trace_in_the_store(deployment: Any) -> None:
    deployment.items(deployment.jsonl("1.jsonl", [item("a")]))
    with deployment.store() as store:
        before = store.change_sequence()
    good = deployment.jsonl("2.jsonl", [item("a", title="changed"), *(item(f"b{n}") for n in range(50))])
    bad = deployment.jsonl("3.jsonl", [item("c", price="cheap"), item("d", kind="film")])

    with pytest.raises(ImportRefused, match=r"2 of 53 rows are bad, more than the allowed 1 row.*nothing was imported.*price.*kind"):
        deployment.items(good, bad, limit="1", batch=10)

    assert deployment.titles() == {"a": "Title of a"}
    with deployment.store() as store:
        assert store.change_sequence() == before


def test_a_refused_first_import_does_not_even_make_a_store(deployment: Any) -> None:
    with pytest.raises(ImportRefused):
        deployment.items(deployment.jsonl("items.jsonl", [item("a"), {"id": "b"}]))
    assert not deployment.settings.store_path.exists()


@pytest.mark.parametrize(("limit", "refused"), [("0", True), ("1", True), ("2", False), ("0.19", True), ("0.2", False), ("20%", False)])
def test_the_limit_is_a_count_or_a_share_and_reaching_it_is_allowed(deployment: Any, limit: str, refused: bool) -> None:
    file = deployment.jsonl("items.jsonl", [*(item(f"a{n}") for n in range(8)), {"id": "b"}, {"id": "c"}])

    if refused:
        with pytest.raises(ImportRefused):
            deployment.items(file, limit=limit)
    else:
        assert deployment.items(file, limit=limit).counts["created"] == 8


def test_rejected_rows_are_told_with_file_line_reason_and_row(deployment: Any) -> None:
    csv = deployment.file("a.csv", b'id,kind,title\na,media,"two\nlines"\nb,film,\xc3\xa9\nc,media,\xff\n')
    jsonl = deployment.jsonl("b.jsonl", [item("d"), item("e", price=-1, text="x" * 20_000)])

    report = deployment.items(csv, jsonl, limit="100%")
    rejects = deployment.rejects(report)

    assert [(row["file"], row["line"]) for row in rejects] == [(str(csv), 4), (str(csv), 5), (str(jsonl), 2)]
    assert rejects[0]["reason"] == "kind: given 'film', allowed: article, product, media"
    assert rejects[0]["row"] == {"id": "b", "kind": "film", "title": "é"}
    assert rejects[1]["row"] == "c,media,\udcff\n"
    assert rejects[2]["row"]["price"] == -1
    assert len(rejects[2]["row"]["text"]) == 500
    assert report.reasons == {
        "kind: allowed: article, product, media": 1,
        "contains bytes that are not UTF-8, or half of a surrogate pair": 1,
        "price: allowed: a number that is 0 or more": 1,
    }


def test_rejects_go_where_told_and_never_over_an_input(deployment: Any) -> None:
    file = deployment.jsonl("items.jsonl", [item("a"), {"id": "b"}])
    elsewhere = deployment.folder / "set" / "aside.jsonl"

    assert deployment.items(file, limit="1", rejects=elsewhere).rejects_file == str(elsewhere)
    assert json.loads(elsewhere.read_text())["row"] == {"id": "b"}
    with pytest.raises(InvalidInput, match="not itself imported"):
        deployment.items(file, limit="1", rejects=file)


def test_an_import_without_rejects_removes_the_rejects_of_an_earlier_one(deployment: Any) -> None:
    rejects = deployment.file("aside.jsonl", "from before\n")

    assert deployment.items(deployment.jsonl("items.jsonl", [item("a")]), rejects=rejects).rejects_file is None
    assert not rejects.exists()


def test_a_dry_run_checks_everything_and_writes_no_store(deployment: Any) -> None:
    file = deployment.jsonl("items.jsonl", [item("a"), item("a"), {"id": "b"}])

    report = deployment.items(file, limit="1", dry_run=True)

    assert (report.rows, report.valid, report.rejected, report.counts, report.dry_run) == (3, 1, 1, {}, True)
    assert len(deployment.rejects(report)) == 1
    assert not deployment.settings.store_path.exists()


def test_ignored_columns_are_reported_once(deployment: Any) -> None:
    report = deployment.items(deployment.jsonl("items.jsonl", [item("a", rank=1), item("b", rank=2, colour="red")]))

    assert report.ignored_columns == ("rank", "colour")


def test_vectors_of_two_lengths_cannot_both_be_imported(deployment: Any) -> None:
    rows = [item("a", embedding=[1, 2, 3]), item("b"), item("c", embedding=[1, 2]), item("d", embedding=[4, 5, 6])]
    report = deployment.items(deployment.jsonl("items.jsonl", rows), limit="1", batch=1)

    (rejected,) = deployment.rejects(report)
    assert rejected["reason"] == "embedding: given '2 numbers', allowed: 3 numbers, as in the first item that brings a vector"
    assert set(deployment.titles()) == {"a", "b", "d"}


def test_a_missing_column_stops_the_import_before_anything_is_written(deployment: Any) -> None:
    good = deployment.jsonl("1.jsonl", [item("a")])
    foreign = deployment.file("2.csv", "movie,kind\nm1,media\n")

    with pytest.raises(InvalidInput, match="columns found: movie, kind"):
        deployment.items(good, foreign)
    assert not deployment.settings.store_path.exists()
    assert deployment.items(foreign, maps=["id=movie"]).counts["created"] == 1


def test_a_hidden_item_stays_hidden_and_a_deleted_one_comes_back(deployment: Any) -> None:
    file = deployment.jsonl("items.jsonl", [item("a"), item("b")])
    report = deployment.items(file)
    with deployment.store() as store:
        store.set_state(["a"], ItemState.HIDDEN, now=deployment.now)
        store.delete_items(["b"], now=deployment.now)

    report = deployment.items(deployment.jsonl("again.jsonl", [item("a", title="new"), item("b")]))

    assert (report.counts["updated"], report.counts["created"]) == (1, 1)
    with deployment.store() as store:
        assert [(stored.item.id, stored.state) for stored in store.get_items(["a", "b"])] == [
            ("a", ItemState.HIDDEN),
            ("b", ItemState.LIVE),
        ]


def test_an_empty_file_imports_nothing_and_a_header_alone_as_well(deployment: Any) -> None:
    report = deployment.items(deployment.file("a.jsonl", ""), deployment.file("b.csv", "id,kind\n"))

    assert (report.rows, report.counts["created"], report.rejected) == (0, 0, 0)


def test_events_shape_the_state_of_their_people(deployment: Any) -> None:
    deployment.items(deployment.jsonl("items.jsonl", [item("a"), item("b")]))
    rows = [
        event("1", "a", type="watch", portion=0.5),
        event("2", "b", type="dislike"),
        event("3", "a", user_id=None, session_id="s", consent="none"),
    ]

    report = deployment.events(deployment.jsonl("events.jsonl", rows))

    assert report.counts == {"accepted": 3, "duplicates": 0}
    with deployment.store() as store:
        numbers = store.item_numbers(["a", "b"])
        user = store.read_person(Subject.user("u")).person
        session = store.read_person(Subject.session("s")).person
    assert user.history["item"].tolist() == [numbers["a"], numbers["b"]]
    assert set(user.dismissed) == {numbers["b"]}
    assert (len(session.history), session.consent) == (0, Consent.NONE)


@pytest.mark.parametrize("with_id", [True, False])
def test_importing_the_same_events_again_counts_nothing_twice(deployment: Any, with_id: bool) -> None:
    deployment.items(deployment.jsonl("items.jsonl", [item("a"), item("b")]))
    rows = [event(str(n), "ab"[n % 2], at=f"1998-0{1 + n % 9}-01T00:00:{n:02}Z") for n in range(40)]
    file = deployment.jsonl("events.jsonl", [row if with_id else {k: v for k, v in row.items() if k != "id"} for row in rows])
    first = deployment.events(file, batch=7)
    with deployment.store() as store:
        before = store.change_sequence()

    second = deployment.events(file, batch=11)

    assert (first.counts, second.counts) == ({"accepted": 40, "duplicates": 0}, {"accepted": 0, "duplicates": 40})
    with deployment.store() as store:
        assert store.count_events(upto=store.change_sequence()) == 40
        assert store.change_sequence() == before


def test_of_events_with_one_id_the_first_holds_even_years_apart(deployment: Any) -> None:
    deployment.items(deployment.jsonl("items.jsonl", [item("a")]))
    rows = [event("1", at="1997-01-01", value=1), event("1", at="1998-01-01", value=2), event("1", at="1999-01-01", value=3)]

    report = deployment.events(deployment.jsonl("events.jsonl", rows), batch=1)

    assert report.counts == {"accepted": 1, "duplicates": 2}
    with deployment.store() as store:
        values = [batch["value"].to_numpy() for batch in store.iter_events(upto=store.change_sequence())]
    np.testing.assert_array_equal(np.concatenate(values), [1])


def test_events_of_unknown_items_and_from_the_future_are_set_aside(deployment: Any) -> None:
    deployment.items(deployment.jsonl("items.jsonl", [item("a"), item("gone")]))
    with deployment.store() as store:
        store.delete_items(["gone"], now=deployment.now)
    tolerance = timedelta(seconds=deployment.settings.future_tolerance_s)
    rows = [
        event("1"),
        event("2", "nothing"),
        event("3", "gone"),
        event("4", at=(deployment.now + tolerance).isoformat()),
        event("5", at=(deployment.now + tolerance + timedelta(seconds=1)).isoformat()),
    ]

    report = deployment.events(deployment.jsonl("events.jsonl", rows), limit="3")

    assert (report.counts, report.rejected) == ({"accepted": 2, "duplicates": 0}, 3)
    assert [row["line"] for row in deployment.rejects(report)] == [2, 3, 5]
    assert "no item" not in str(report.reasons)
    assert list(report.reasons.values()) == [2, 1]


def test_events_need_a_store(deployment: Any) -> None:
    with pytest.raises(NotFound, match="recommender import items"):
        deployment.events(deployment.jsonl("events.jsonl", [event("1")]))


def test_events_without_consent_get_the_default_of_the_deployment(deployment: Any) -> None:
    deployment.items(deployment.jsonl("items.jsonl", [item("a")]))
    strict = deployment.with_settings(consent_default="none")

    strict.events(deployment.jsonl("events.jsonl", [event("1"), event("2", user_id="v", consent="all")]))

    with deployment.store() as store:
        assert store.read_person(Subject.user("u")).person.consent is Consent.NONE
        assert store.read_person(Subject.user("v")).person.consent is Consent.ALL


def changed_in_place(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"Title", b"TITLE"))


def appended_to(path: Path) -> None:
    with path.open("a") as stream:
        stream.write(json.dumps(item("late")) + "\n")


@pytest.mark.parametrize("change", [changed_in_place, appended_to, Path.unlink])
@pytest.mark.parametrize("stage", ["checking 2", "importing 1"])
def test_a_file_that_changes_during_the_import_stops_it_before_any_unchecked_row_is_written(
    deployment: Any, change: Any, stage: str
) -> None:
    first = deployment.jsonl("1.jsonl", [item("a")])
    second = deployment.jsonl("2.jsonl", [item("b")])
    changed = first if stage == "checking 2" else second
    # Clocks of file systems tick in milliseconds: what was written in the same tick would look untouched.
    os.utime(changed, (1_700_000_000, 1_700_000_000))

    with pytest.raises(InvalidInput) as caught:
        deployment.items(first, second, shown=deployment.done_at(stage, lambda: change(changed)))

    assert caught.value.given == str(changed)
    if stage == "checking 2":
        assert deployment.titles() == {}
    else:
        assert deployment.titles() == {"a": "Title of a"}
        assert "1 good rows were written before" in str(caught.value) or "stays in place" in str(caught.value)


def test_an_item_that_goes_while_its_events_are_imported_costs_only_those_events(deployment: Any) -> None:
    deployment.items(deployment.jsonl("items.jsonl", [item("a"), item("b")]))

    def delete() -> None:
        with deployment.store() as store:
            store.delete_items(["b"], now=deployment.now)

    file = deployment.jsonl("events.jsonl", [event("1"), event("2", "b"), event("3")])
    report = deployment.events(file, shown=deployment.done_at("importing", delete))

    assert (report.counts, report.rejected) == ({"accepted": 2, "duplicates": 0}, 1)
    assert [row["line"] for row in deployment.rejects(report)] == [2]


@pytest.mark.parametrize("name", ["events.csv", "events.jsonl", "events.parquet"])
def test_a_map_to_a_column_that_the_file_lacks_is_refused_before_anything_is_written(deployment: Any, name: str) -> None:
    row = {"user_id": "u", "item_id": "i", "type": "click", "at": "2026-01-01", "konsent": "none"}
    deployment.items(deployment.jsonl("items.jsonl", [{"id": "i", "kind": "media"}]))
    if name.endswith("csv"):
        path = deployment.file(name, ",".join(row) + "\n" + ",".join(row.values()) + "\n")
    else:
        path = deployment.jsonl(name, [row]) if name.endswith("jsonl") else deployment.parquet(name, [row])
    with pytest.raises(InvalidInput, match=r"consent=consent_flag.*columns found: .*konsent"):
        deployment.events(path, maps=["consent=consent_flag"])
    with deployment.store() as store:
        assert store.counts().events == 0
    assert deployment.events(path, maps=["consent=konsent"]).counts["accepted"] == 1
