"""A larger world of two tastes, as a tuning sees it; nothing changes it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from worlds import build_settings, fill_store, films, watches

from eval.tuning.training_part import TrainingPart, of_store
from indexing.progress import Lines
from recommender.profile import BuildSettings
from recommender.settings import Settings

PEOPLE = 160


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A store with 160 people's events, and no generation."""
    return fill_store(tmp_path_factory.mktemp("tuning") / "data", films(), watches(PEOPLE))


@pytest.fixture(scope="session")
def present(model: Path) -> BuildSettings:
    """The settings that the world stands on."""
    return build_settings(model)


@pytest.fixture(scope="session")
def data(deployment: Settings, present: BuildSettings) -> TrainingPart:
    """All of the store's events as a training part."""
    return of_store(deployment, present, Lines(StringIO()))
