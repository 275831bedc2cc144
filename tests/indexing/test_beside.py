"""Work on another core."""

from __future__ import annotations

import threading

import pytest

from indexing.beside import Beside


def test_work_goes_on_beside_and_its_result_is_waited_for() -> None:
    go = threading.Event()
    beside = Beside(lambda: (go.wait(60), threading.get_ident()))
    assert not beside.is_done
    go.set()

    waited, thread = beside.result()

    assert waited
    assert thread != threading.get_ident()
    assert beside.is_done


def test_what_fails_beside_fails_where_its_result_is_wanted() -> None:
    def work() -> None:
        raise KeyError("beside")

    with pytest.raises(KeyError, match="beside"):
        Beside(work).result()
