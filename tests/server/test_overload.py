"""An overloaded server: feeds are turned away with a delay before they are read, events and health checks go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
