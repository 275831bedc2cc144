"""What is loaded is what was built, and it is mapped rather than copied."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from handmade import HOME, NOW, assert_same_feed, checkerboard, contents_of, engine_of, history_of, some_items, unit
from pyroaring import BitMap
from worlds import World

from recommender.engine import Recommender
from recommender.feeds import Query
from recommender.generation import Contents, Generations
from recommender.generation.contents import file_names
from recommender.lists import Lists
from recommender.vectors import VectorIndex


def queries(n: int) -> list[Query]:
    histories = [history_of(*np.random.default_rng(length).choice(n, length)) for length in (0, 1, 3, 20)]
    return [Query(HOME, 50, history=h, consumed=BitMap(h["item"]), reasons=10, filter=f) for h in histories for f in ("", "title != ''")]


def test_loaded_is_built_to_the_last_bit(tmp_path: Path) -> None:
    built = checkerboard(50)
    built.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(file_names())
    loaded = Contents.read(tmp_path)
    asked = queries(50)
    for ours, theirs in zip(engine_of(built).feeds(asked, now=NOW), engine_of(loaded).feeds(asked, now=NOW), strict=True):
        assert_same_feed(ours, theirs)


def test_written_again_the_files_are_the_same(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    checkerboard(50).write(tmp_path / "first")
    Contents.read(tmp_path / "first").write(tmp_path / "second")
    for name in file_names():
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


def test_a_compressed_index_is_the_same_once_loaded(tmp_path: Path) -> None:
    n = 6_000
    rng = np.random.default_rng(0)
    built = replace(
        contents_of(some_items(n)),
        vectors=VectorIndex.build(unit(rng.normal(size=(n, 16))), exact_limit=1_000, seed=0),
        has_vector=np.ones(n, dtype=np.bool_),
        popularity=rng.random(n).astype(np.float32),
    )
    built.write(tmp_path)
    asked = queries(n)
    ours, theirs = (engine_of(contents).feeds(asked, now=NOW) for contents in (built, Contents.read(tmp_path)))
    assert {feed.retrieval_mode for feed in ours} == {"none", "index"}
    for one, other in zip(ours, theirs, strict=True):
        assert_same_feed(one, other)


def test_the_generation_of_a_world_serves_what_was_judged(world: World) -> None:
    generations = Generations(world.settings.generations_path)
    [identity] = generations.ids()
    first, second = (Recommender.of(generations.load(identity)) for _ in range(2))
    assert first.generation_id == identity == generations.current_id()
    assert first.profile_hash == world.build.hash == generations.manifest(identity).profile_hash
    assert first.change == generations.manifest(identity).watermark
    asked = [Query(HOME, 20), Query(HOME, 20, history=history_of(1, 2), reasons=5)]
    for ours, theirs in zip(first.feeds(asked, now=NOW), second.feeds(asked, now=NOW), strict=True):
        assert_same_feed(ours, theirs)


@pytest.mark.parametrize("name", ["has_vector", "factors", "popularity", "recent_popularity", "response", "first_at"])
def test_arrays_of_another_length_are_refused(name: str) -> None:
    contents = checkerboard(10)
    with pytest.raises(ValueError, match=f"{name} has 9 rows, the catalogue has 10"):
        replace(contents, **{name: getattr(contents, name)[:9]})


MEASURE = """
import sys
from pathlib import Path

def anonymous():
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024

sys.path[:0] = sys.argv[3:]
from handmade import HOME, engine_of, feed_of, history_of
from recommender.feeds import Query
from recommender.generation import Contents

# Compiled loops are loaded for arrays that cannot be written to, as those of a file are.
feed_of(engine_of(Contents.read(Path(sys.argv[2]))), Query(HOME, 20, history=history_of(1, 2, 3), reasons=20, filter="price < 3.0"))
before = anonymous()
engine = engine_of(Contents.read(Path(sys.argv[1])))
loaded = anonymous()
for row in range(20):
    feed_of(engine, Query(HOME, 20, history=history_of(*range(row, 60 * row, 7)), reasons=20))
print(loaded - before, anonymous() - before)
"""


def test_processes_share_the_pages_of_a_generation(tmp_path: Path) -> None:
    n, neighbours = 40_000, 60
    rng = np.random.default_rng(1)
    columns = rng.integers(0, n, n * neighbours)
    weights = sp.csr_array((rng.random(n * neighbours, dtype=np.float32), (np.repeat(np.arange(n), neighbours), columns)), shape=(n, n))
    contents = replace(
        contents_of(some_items(n)),
        vectors=VectorIndex.build(unit(rng.normal(size=(n, 256))), exact_limit=10**6, seed=0),
        has_vector=np.ones(n, dtype=np.bool_),
        factors=rng.normal(size=(n, 128)).astype(np.float32),
        item_item=Lists.of(weights),
        popularity=rng.random(n).astype(np.float32),
    )
    small, large = tmp_path / "small", tmp_path / "large"
    for folder, written in ((small, checkerboard(30)), (large, contents)):
        folder.mkdir()
        written.write(folder)
    size = sum(path.stat().st_size for path in large.iterdir())
    assert size > 40_000_000
    roots = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    command = [sys.executable, "-c", MEASURE, str(large), str(small), *roots]
    # The first compiles loops where no other test has, which takes more memory than a generation does.
    out = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)][-1]
    loaded, served = map(int, out.split())
    assert loaded < size / 10
    assert served < size / 4
