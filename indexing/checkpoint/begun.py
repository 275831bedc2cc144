"""What a build began with: what another one must begin with as well to go on where it was killed, and what that one then takes over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from recommender.placements import Placement
from recommender.profile import BuildSettings

FORMAT = 1
"""Of what stages leave behind; another one whenever that is written in another way."""


class Begun(BaseModel):
    """`at`, `watermark` and `active`, the id of the generation that was active, are those of the build that began; whoever goes on takes
    them over. All else must be the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    at: datetime
    watermark: int
    active: str | None
    settings: str
    gate: str
    placement: str
    libraries: dict[str, str]
    files: str = ""

    @classmethod
    def of(
        cls,
        settings: BuildSettings,
        placement: Placement,
        libraries: Mapping[str, str],
        *,
        at: datetime,
        watermark: int,
        active: str | None,
        files: str = "",
    ) -> Begun:
        """A build that begins now. `files`: the identity of the files whose rows it took into the store first, "" for none."""
        return cls(
            at=at,
            watermark=watermark,
            active=active,
            settings=settings.hash,
            gate=hashlib.sha256(settings.gate.model_dump_json().encode()).hexdigest()[:12],
            placement=f"{placement.name} {placement.version}",
            libraries=dict(libraries),
            files=files,
        )

    def why_not(self, now: Begun, *, published: str | None) -> str:
        """Why a build that would begin as `now` says cannot go on with this one; "" where it can.

        `published`: id of the generation that this one has added already, None where it has not.
        """
        for name, what in (
            ("format", "what it left is of format"),
            ("settings", "it was begun with build settings"),
            ("gate", "it was begun with bounds of the gate"),
            ("placement", "it was begun with placement"),
        ):
            then, given = getattr(self, name), getattr(now, name)
            if then != given:
                return f"{what} {then}, now given: {given}"
        if now.files and now.files != self.files:
            return "other files are given now than those that it took in, or they have changed"
        changed = sorted(
            name for name in self.libraries.keys() | now.libraries.keys() if self.libraries.get(name) != now.libraries.get(name)
        )
        if changed:
            return f"it was begun with {changed[0]} {self.libraries.get(changed[0])}, now installed: {now.libraries.get(changed[0])}"
        if now.watermark < self.watermark:
            return f"it read the store up to change {self.watermark}, and the store is at {now.watermark}: it is another one"
        if now.active != self.active and (published is None or now.active != published):
            return f"it was begun while {self.active or 'no generation'} was active, and now {now.active or 'none'} is"
        return ""
