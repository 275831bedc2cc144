"""Arrays of files, mapped into memory."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.mapped_arrays import mapped_array


def test_an_array_is_what_was_written_and_cannot_be_written_to(tmp_path: Path) -> None:
    written = np.arange(12, dtype=np.uint16).reshape(3, 4)
    np.save(tmp_path / "some.npy", written)
    mapped = mapped_array(tmp_path / "some.npy")
    assert type(mapped) is np.ndarray
    assert mapped.dtype == np.uint16
    assert np.array_equal(mapped, written)
    with pytest.raises(ValueError, match="read-only"):
        mapped[0, 0] = 1


@pytest.mark.parametrize(("content", "error"), [(b"", EOFError), (b"no array at all", ValueError)])
def test_what_is_no_array_is_refused(tmp_path: Path, content: bytes, error: type[Exception]) -> None:
    (tmp_path / "some.npy").write_bytes(content)
    with pytest.raises(error):
        mapped_array(tmp_path / "some.npy")


def test_headers_are_parsed_by_one_thread_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that do at once may fail each other before Python 3.11.8."""
    np.save(tmp_path / "some.npy", np.arange(3))
    load, inside, most = np.load, threading.Semaphore(1), []

    def slow(*args: Any, **options: Any) -> Any:
        alone = inside.acquire(blocking=False)
        most.append(alone)
        time.sleep(0.005)
        if alone:
            inside.release()
        return load(*args, **options)

    monkeypatch.setattr(np, "load", slow)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: mapped_array(tmp_path / "some.npy"), range(8)))
    assert most == [True] * 8
