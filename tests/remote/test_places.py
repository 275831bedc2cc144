"""Files at a remote place: what fsspec's file systems have in common, and replacing one on condition."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from recommender.errors import InvalidInput, RemoteError
from recommender.remote.place import Changed, Place, Version, is_url, place_at


def test_what_is_written_is_listed_read_and_removed(place: Place) -> None:
    assert place.files() == {}
    assert place.read("a/one") is None
    place.write("a/one", b"1")
    place.write("a/two", b"22")
    place.write("b/three", b"333")
    assert place.files() == {"a/one": 1, "a/two": 2, "b/three": 3}
    assert place.files("a") == {"a/one": 1, "a/two": 2}
    assert place.read("a/two") == b"22"
    place.remove("a")
    place.remove("nothing")
    assert place.files() == {"b/three": 3}


def test_files_go_there_and_come_back(place: Place, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(bytes(range(256)) * 1000)
    place.upload(there, "folder/file")
    assert place.download("folder/file", back)
    assert back.read_bytes() == there.read_bytes()
    assert not place.download("folder/nothing", back)


def test_a_file_is_replaced_only_by_whoever_has_seen_what_it_is(place: Place) -> None:
    nothing = place.read_version("CURRENT")
    assert nothing == Version(None)
    place.replace("CURRENT", b"first", nothing)
    with pytest.raises(Changed, match="somebody else"):
        place.replace("CURRENT", b"second", nothing)
    first = place.read_version("CURRENT")
    place.replace("CURRENT", b"second", first)
    with pytest.raises(Changed, match="somebody else"):
        place.replace("CURRENT", b"third", first)
    assert place.read("CURRENT") == b"second"
    seen = place.read_version("CURRENT")
    place.remove("CURRENT")
    with pytest.raises(Changed, match="somebody else"):
        place.replace("CURRENT", b"third", seen)


def test_an_object_store_sees_to_the_condition_itself(s3: str) -> None:
    place = place_at(s3, "url")
    assert place.conditional
    place.replace("CURRENT", b"first", Version(None))
    seen = place.read_version("CURRENT")
    assert seen.tag is not None
    # As when somebody replaces it between the comparison and the writing, where the former was made here.
    with pytest.raises(Changed):
        place.replace("CURRENT", b"x", Version(b"first", '"0123456789abcdef0123456789abcdef"'))
    assert place.read("CURRENT") == b"first"


def test_a_file_of_another_identity_is_another_one(place: Place) -> None:
    assert place.identity("file") is None
    place.write("file", b"one")
    first = place.identity("file")
    assert place.identity("file") == first
    place.write("file", b"three")
    assert place.identity("file") not in (first, None)


def test_a_bucket_that_is_missing_is_said(s3: str) -> None:
    place = place_at("s3://nobodys-bucket/generations", "url")
    assert place.read("CURRENT") is None
    with pytest.raises(RemoteError, match=r"s3://nobodys-bucket/generations cannot be written \(CURRENT\) now: .*bucket does not exist"):
        place.write("CURRENT", b"")


def test_a_store_out_of_reach_is_said_without_a_secret(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tell-nobody")
    place = place_at("s3://out-of-reach/generations", "url")
    place._system.invalidate_region_cache()
    with pytest.raises(RemoteError, match="cannot be read") as refused:
        place.read("CURRENT")
    assert "tell-nobody" not in str(refused.value)


@pytest.mark.parametrize("given", ["generations", "/srv/generations", "s3://", "s3:///", "nowhere://x/y", "C:\\x"])
def test_what_is_no_url_of_a_folder_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput, match="setting generations: given"):
        place_at(given, "setting generations")


def test_a_url_with_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidInput, match="credentials come from the environment") as refused:
        place_at("s3://key:hush@bucket/folder", "setting generations")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(("url", "extra", "module"), [("s3://b/f", "s3", "s3fs"), ("gs://b/f", "gcs", "gcsfs")])
def test_a_library_that_is_missing_is_named_with_what_installs_it(
    url: str, extra: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.registry import _registry

    for name in (url.partition(":")[0], "s3a", "gcs"):
        monkeypatch.delitem(_registry, name, raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RemoteError, match=rf'pip install "content-recommender\[{extra}\]"'):
        place_at(url, "setting generations")


def test_a_url_is_told_from_a_path() -> None:
    assert is_url("s3://bucket/items.jsonl")
    assert not is_url("items.jsonl")
    assert not is_url("./a://b")
