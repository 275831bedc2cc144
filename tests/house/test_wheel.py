"""The wheel: exactly the four packages, with everything in them, and with what `pip install` needs to know."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PACKAGES = {"recommender", "indexing", "server", "eval"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (built,) = out.iterdir()
    return built


def metadata(wheel: Path) -> str:
    """The text of the wheel's METADATA."""
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return archive.read(name).decode()


def test_the_wheel_holds_every_file_of_the_four_packages_and_no_other(wheel: Path) -> None:
    on_disk = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with ZipFile(wheel) as archive:
        in_wheel = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert in_wheel == on_disk


def test_every_package_in_the_wheel_says_that_it_is_typed(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        assert {f"{package}/py.typed" for package in PACKAGES} <= set(archive.namelist())


def test_the_wheel_carries_the_licence(wheel: Path) -> None:
    licence = (ROOT / "LICENSE").read_bytes()
    with ZipFile(wheel) as archive:
        carried = [archive.read(name) for name in archive.namelist() if name.endswith("/LICENSE")]
    assert carried == [licence]


def test_the_wheel_alone_asks_for_nothing_that_only_building_needs(wheel: Path) -> None:
    requirements = [Requirement(text) for text in Parser().parsestr(metadata(wheel)).get_all("Requires-Dist", [])]
    always = {requirement.name for requirement in requirements if requirement.marker is None}
    assert always == {Requirement(text).name for text in PROJECT["dependencies"]}
    assert not always & {"torch", "sentence-transformers", "implicit", "lightgbm", "pandas"}
