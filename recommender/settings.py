"""Settings of a deployment: flags over environment (`RECOMMENDER_…`) over a TOML file over defaults.

This is the only place that reads the environment. `docs/settings.md` lists every setting; a test keeps it true.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from recommender.errors import InvalidInput
from recommender.validation import refusal

ENVIRONMENT_PREFIX = "RECOMMENDER_"


NOT_SHOWN = "a text that is not shown, since it may be a secret"


class Settings(BaseSettings):
    """Every setting, with its unit and default. Addresses are host:port; port 0 takes a free one."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="forbid", frozen=True)

    data: Path = Field(default=Path("var"), description="Folder that holds the store, the generations and the caches.")
    store: SecretStr | None = Field(
        default=None,
        description="URL of a PostgreSQL database, postgresql://user:password@host:port/name; without it the store is a SQLite file in "
        "the folder of data.",
    )
    generations: str | None = Field(
        default=None,
        description="URL of a folder of an object store where generations are published, s3://bucket/folder or any other that fsspec "
        "knows; the folder of data holds a cache of them then. Without it they lie in the folder of data alone.",
    )
    placements: Path | None = Field(default=None, description="TOML file of placements; without it there is one, home, with the defaults.")
    listen: str = Field(default="127.0.0.1:50051", description="Address of the feed and event services, for front ends.")
    admin_listen: str = Field(
        default="127.0.0.1:50052", description="Address of the services for operators: catalogue, generations, retention."
    )
    metrics_listen: str = Field(default="127.0.0.1:9464", description="Address of the Prometheus metrics over HTTP.")
    threads: int = Field(default=8, ge=2, le=256, description="Calls worked on at once, of feeds, of events and of others each.")
    wait_s: float = Field(
        default=0.1, gt=0, le=60, description="Seconds that a feed may wait for its turn; who would wait longer is turned away at once."
    )
    grace_s: float = Field(default=10.0, ge=0, le=600, description="Seconds that running calls may take when the server stops.")
    generation_poll_s: float = Field(default=1.0, gt=0, le=60, description="Seconds between looks for a newly activated generation.")
    changes_poll_s: float = Field(default=0.25, gt=0, le=60, description="Seconds between looks for new and changed items.")
    counts_poll_s: float = Field(default=15.0, gt=0, le=3600, description="Seconds between counts of what is popular.")
    trend_days: int = Field(
        default=7, ge=1, le=90, description="Days of which events are kept in memory to count what trends; not above event_days."
    )
    trend_events: int = Field(
        default=1_000_000,
        ge=1_000,
        le=100_000_000,
        description="Events that are kept in memory at the most to count what trends, the newest ones; each takes 25 bytes.",
    )
    trend_people: int = Field(
        default=20, ge=1, le=10_000, description="Different people that a region or segment needs for its trend to be shown."
    )
    trend_item_people: int = Field(
        default=3, ge=1, le=10_000, description="Different people of a region or segment that an item needs to be ranked by its trend."
    )
    embedding_patience_s: float = Field(
        default=10.0, gt=0, le=3600, description="Seconds after which answers tell that new items are not embedded yet."
    )
    consent_default: Literal["all", "none"] = Field(
        default="all", description="What is assumed where an event or request carries no consent: everything allowed, or nothing."
    )
    token_keys: SecretStr | None = Field(
        default=None,
        description="Token keys as id:hex pairs (32 bytes or more each) separated by commas, the signing key first; "
        "without it a key is created once and kept in the store.",
    )
    page_token_hours: float = Field(default=24.0, gt=0, le=720, description="Hours that a page token is good for.")
    future_tolerance_s: float = Field(
        default=300.0, ge=0, le=86_400, description="Seconds that an event's time may lie ahead of the server's clock."
    )
    late_days: int = Field(
        default=365, ge=1, le=36_500, description="Days that an event may be late when it comes over the network; imports take older ones."
    )
    dedup_days: int = Field(default=14, ge=1, le=90, description="Days within which an event id is recognised whatever its time.")
    event_days: int = Field(
        default=400,
        ge=0,
        le=36_500,
        description="Days that events are kept, counted back from the newest; not below dedup_days; 0 keeps them for ever.",
    )
    least_events: int = Field(
        default=1_000_000,
        ge=0,
        le=10**12,
        description="Events that are kept however old they are, in whole days, so that a build has enough to learn from.",
    )
    session_days: int = Field(
        default=90,
        ge=0,
        le=36_500,
        description="Days, counted back from the newest event, after which a session that nobody came back to goes; 0 keeps all.",
    )
    decision_days: int = Field(
        default=30,
        ge=0,
        le=36_500,
        description="Days that the served log is kept, counted back from its newest; 0 keeps it for ever.",
    )
    refused_days: int = Field(
        default=14, ge=0, le=36_500, description="Days that a generation which its gate refused is kept for inspection; 0 sets no limit."
    )
    unfinished_days: int = Field(
        default=7, ge=0, le=36_500, description="Days that what a killed build left is kept to be gone on with; 0 sets no limit."
    )
    decisions_queue: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Served records that may wait to be written before more are dropped and counted."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least severe log record that is written.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then the TOML file named by `RECOMMENDER_CONFIG`."""
        sources = [init_settings, env_settings]
        config = os.environ.get(f"{ENVIRONMENT_PREFIX}CONFIG")
        if config:
            if not Path(config).is_file():
                raise InvalidInput(f"{ENVIRONMENT_PREFIX}CONFIG", config, "the path of a TOML file")
            sources.append(TomlConfigSettingsSource(settings_cls, toml_file=config))
        return tuple(sources)

    @property
    def store_place(self) -> Path | str:
        """Where the store is: the path of the SQLite file, or a URL, which must not be shown. Raises `InvalidInput` for any other text."""
        url = "" if self.store is None else self.store.get_secret_value()
        if url and not url.startswith("postgresql://"):
            raise InvalidInput("setting store", NOT_SHOWN, "a URL that begins with postgresql://, or nothing for a SQLite file")
        return url or self.store_path

    @property
    def store_path(self) -> Path:
        """The SQLite file, where the store is one."""
        return self.data / "store.sqlite"

    def sqlite_file(self, what: str) -> Path:
        """The SQLite file, for `what` works with the file itself. Raises `InvalidInput` where the store is on PostgreSQL."""
        if self.store_place != self.store_path:
            raise InvalidInput("setting store", NOT_SHOWN, f"nothing for {what}, which works with a SQLite file")
        return self.store_path

    @property
    def generations_path(self) -> Path:
        """The folder of generations, or the cache of those that are published elsewhere."""
        return self.data / "generations"

    @property
    def deltas_path(self) -> Path:
        """The folder of delta segments."""
        return self.data / "deltas"

    @property
    def cache_path(self) -> Path:
        """The folder of embedding caches, which may be deleted at any time."""
        return self.data / "cache"


def load_settings(**flags: object) -> Settings:
    """Settings with `flags` on top; a flag that is None was not given. Raises `InvalidInput` naming the setting."""
    try:
        settings = Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise refusal("setting ", error, Settings) from error
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        config = os.environ.get(f"{ENVIRONMENT_PREFIX}CONFIG", "")
        raise InvalidInput(f"{ENVIRONMENT_PREFIX}CONFIG: {config}", str(error), "a TOML file of settings") from error
    # A setting that is a secret is checked here, since pydantic's errors quote what was given.
    _ = settings.store_place
    if 0 < settings.event_days < settings.dedup_days:
        allowed = f"0 for ever, or {settings.dedup_days} (dedup_days) or more: an id is recognised only where its event is kept"
        raise InvalidInput("setting event_days", settings.event_days, allowed)
    if 0 < settings.event_days < settings.trend_days:
        allowed = f"{settings.event_days} (event_days) or less: what trends is counted by events that are kept"
        raise InvalidInput("setting trend_days", settings.trend_days, allowed)
    return settings
