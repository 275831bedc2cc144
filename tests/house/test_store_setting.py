"""The setting that says where the store is: a secret, and nothing that a benchmark of files may overlook."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from eval.bench.build_command import bench_build
from eval.store_speed.command import bench_store
from recommender.errors import InvalidInput
from recommender.settings import Settings, load_settings
from recommender.store.command import store_group
from server.bench.command import bench_serve
from server.command import serve

URL = "postgresql://ann:s3cret@127.0.0.1:1/shop"


def test_without_it_the_store_is_a_file_in_the_folder_of_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(data=tmp_path).store_place == tmp_path / "store.sqlite"
    monkeypatch.setenv("RECOMMENDER_STORE", "")
    assert load_settings(data=tmp_path).store_place == tmp_path / "store.sqlite"


def test_it_may_come_from_environment_file_and_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "recommender.toml"
    file.write_text(f'store = "{URL}/file"\n', encoding="utf-8")
    monkeypatch.setenv("RECOMMENDER_CONFIG", str(file))
    assert load_settings().store_place == f"{URL}/file"
    monkeypatch.setenv("RECOMMENDER_STORE", f"{URL}/environment")
    assert load_settings().store_place == f"{URL}/environment"
    assert load_settings(store=f"{URL}/flag").store_place == f"{URL}/flag"


def test_settings_do_not_show_it() -> None:
    settings = load_settings(store=URL)
    assert "s3cret" not in f"{settings} {settings!r} {settings.model_dump_json()}"


@pytest.mark.parametrize("given", ["mysql://ann:s3cret@host/shop", "host=h password=s3cret", ["s3cret"]])
def test_what_is_no_url_of_postgresql_is_refused_and_not_shown(given: object) -> None:
    with pytest.raises(InvalidInput, match="setting store") as told:
        load_settings(store=given)
    assert "s3cret" not in str(told.value)


def test_a_command_that_cannot_reach_the_server_says_so_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMMENDER_STORE", URL)
    for arguments in (["migrate"], ["info"]):
        result = CliRunner().invoke(store_group, arguments)
        assert result.exit_code == 1
        assert "postgresql://ann@127.0.0.1:1/shop cannot be reached" in result.output
        assert "s3cret" not in result.output


def test_the_help_of_the_server_shows_no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMMENDER_STORE", URL)
    shown = CliRunner().invoke(serve, ["--help"]).output
    assert "--store" in shown
    assert "s3cret" not in shown


def test_benchmarks_of_files_refuse_to_run_beside_the_store_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMMENDER_STORE", URL)
    (tmp_path / "generations").mkdir()
    (tmp_path / "generations" / "CURRENT").write_text("20260101T000000Z-00000000\n", encoding="ascii")
    small = ["--items", "100", "--users", "50", "--events", "500"]
    for command, arguments in ((bench_store, small), (bench_build, ["--data", str(tmp_path)]), (bench_serve, ["--data", str(tmp_path)])):
        result = CliRunner().invoke(command, arguments)
        assert isinstance(result.exception, InvalidInput)
        assert "which works with a SQLite file" in str(result.exception)
        assert "s3cret" not in str(result.exception)
    with pytest.raises(InvalidInput, match="nothing for this one"):
        Settings(store=URL).sqlite_file("this one")
