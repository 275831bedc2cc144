"""Where a listener listens: host and port."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.errors import InvalidInput

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True)
class Address:
    """A host (name, IPv4, or IPv6 without brackets) and a port, 0 to 65535; 0 stands for any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, setting: str) -> Address:
        """Read "host:port" or "[IPv6]:port". Raises `InvalidInput` naming `setting`."""
        host, colon, port = text.rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not colon or not bare or (":" in bare and bare == host) or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
            raise InvalidInput(f"setting {setting}", text, "host:port with a port from 0 to 65535, such as 127.0.0.1:50051 or [::1]:50051")
        return cls(bare, int(port))

    def to_reach(self) -> Address:
        """Where this very machine reaches who listens here: one that listens on all of the machine's addresses is asked on loopback."""
        return Address(_LOOPBACK.get(self.host, self.host), self.port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
