"""The network side of the engine: a gRPC server for front ends and operators, and its commands.

Importing this package imports nothing native, so that `recommender serve` can limit threads before NumPy is loaded.
"""

from typing import TYPE_CHECKING

from recommender.lazy_names import lazy_names

if TYPE_CHECKING:
    from server.app import Addresses, Server

__all__ = [
    "Addresses",
    "Server",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Addresses": "server.app",
        "Server": "server.app",
    },
)
