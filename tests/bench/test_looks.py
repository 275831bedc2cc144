"""Looks at test parts are noted, line by line, before and after."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from eval.looks import note_look, versions
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.served_profile import served_profile

HOME = Placement(name="home")


def test_a_line_is_added_before_and_one_after_and_what_was_there_stays(tmp_path: Path) -> None:
    log, settings = tmp_path / "new" / "looks.jsonl", BuildSettings(seed=3)
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    log.parent.mkdir()
    log.write_text('{"at": "2026-01-01T00:00:00+00:00", "set": "mine", "note": "by hand"}\n')
    for figures in (None, {"recall@20": 0.1234567}):
        note_look(log, at=at, name="mine", settings=settings, placement=HOME, people=7, figures=figures, split="given")
    first, before, after = [json.loads(line) for line in log.read_text().splitlines()]
    assert first["note"] == "by hand"
    assert (before["state"], after["state"], after["recall@20"]) == ("started", "judged", 0.12346)
    assert "recall@20" not in before
    for entry in (before, after):
        assert (entry["at"], entry["set"], entry["people"], entry["split"]) == ("2026-03-01T12:00:00+00:00", "mine", 7, "given")
        assert entry["served_profile"] == served_profile(settings, HOME)
        assert (entry["profile"], entry["placement"], entry["changed"]) == (settings.hash, HOME.version, {"seed": 3})
        assert entry["versions"] == versions()


def test_the_log_is_made_where_there_is_none(tmp_path: Path) -> None:
    log = tmp_path / "a" / "b" / "looks.jsonl"
    note_look(log, at=datetime(2026, 3, 1, tzinfo=UTC), name="mine", settings=BuildSettings(), placement=HOME, people=1)
    assert len(log.read_text().splitlines()) == 1
