"""Files beside the data: another run to compare with, and segments of users."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.rival import rival_of
from eval.segments import read_segments
from recommender.errors import InvalidInput, NotFound
from recommender.events import Subject
from recommender.placements import Placement
from recommender.profile import BuildSettings

HOME, BUILD = Placement(name="home"), BuildSettings()
PEOPLE = {3: Subject.user("ann"), 4: Subject.user("bob"), 5: Subject.session("cat")}


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_build_settings_changes_the_build_alone(tmp_path: Path) -> None:
    rival = rival_of(written(tmp_path / "other.toml", "seed = 7\n"), BUILD, HOME)
    assert (rival.name, rival.build.seed, rival.placement) == ("other.toml", 7, HOME)


def test_a_file_of_placements_changes_the_placement_of_that_name_alone(tmp_path: Path) -> None:
    file = written(tmp_path / "other.toml", "[placements.side]\n[placements.home]\nrank_constant = 60\n")
    rival = rival_of(file, BUILD, HOME)
    assert (rival.build, rival.placement.rank_constant) == (BUILD, 60)
    with pytest.raises(NotFound, match="there are: side, home"):
        rival_of(file, BUILD, Placement(name="moon"))


def test_the_judged_file_itself_and_one_that_says_the_same_are_refused(tmp_path: Path) -> None:
    own, same = written(tmp_path / "own.toml", "seed = 7\n"), written(tmp_path / "same.toml", "seed = 0\n")
    with pytest.raises(InvalidInput, match="another file than the one that is judged"):
        rival_of(tmp_path / "." / "own.toml", BuildSettings(seed=7), HOME, own=(None, own))
    with pytest.raises(InvalidInput, match="settings that differ"):
        rival_of(same, BUILD, HOME)


def test_a_file_that_is_missing_or_neither_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file"):
        rival_of(tmp_path / "none.toml", BUILD, HOME)
    with pytest.raises(InvalidInput, match=r"bad\.toml"):
        rival_of(written(tmp_path / "bad.toml", "seed = \n"), BUILD, HOME)
    with pytest.raises(InvalidInput, match="sead"):
        rival_of(written(tmp_path / "typo.toml", "sead = 1\n"), BUILD, HOME)


def test_segments_are_read_by_user_and_strangers_passed_over(tmp_path: Path) -> None:
    file = written(tmp_path / "segments.csv", '\ufeffuser_id,segment\nann,"new, paying"\nzoe,old\nbob, old \ncat,old\n')
    # A session is no user, even where a user of that name stands in the file.
    assert read_segments(file, PEOPLE) == {3: "new, paying", 4: "old"}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", ":1: "),
        ("user,segment\nann,new\n", ":1: "),
        ("user_id,segment\nann,new\nbob\n", ":3: "),
        ("user_id,segment\nann, \n", ":2: "),
        ("user_id,segment\nann,new\nann,old\n", ":3: "),
        ("user_id,segment\nzoe,new\n", "1 users, none of them known"),
        ('user_id,segment\nann,"new\n', "can be read"),
    ],
)
def test_a_malformed_file_of_segments_is_refused_by_line(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_segments(written(tmp_path / "segments.csv", text), PEOPLE)
    assert where in str(refused.value)


def test_a_file_of_segments_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_segments(tmp_path / "none.csv", PEOPLE)
    (tmp_path / "binary.csv").write_bytes(b"user_id,segment\n\xff,x\n")
    with pytest.raises(InvalidInput, match=r"binary\.csv"):
        read_segments(tmp_path / "binary.csv", PEOPLE)
