"""Compiled loops are kept, and made anew when anything that they contain has changed."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.compiling import SHARED

PACKAGES = ("recommender", "indexing", "server", "eval")
ROOT = Path(__file__).parents[2]
CALL = "from recommender.outer import outer; import sys; print(outer(), sum(outer.stats.cache_hits.values()))"


def compiled_in(path: Path) -> set[str]:
    """Names of the loops that a file compiles."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(each, ast.Name) and each.id in ("compiled", "reordered") for each in node.decorator_list)
    }


@pytest.fixture(scope="module")
def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_loops_that_loops_of_other_files_call_are_in_files_whose_changes_are_noticed(sources: list[Path]) -> None:
    loops = {path: compiled_in(path) for path in sources}
    shared = {path for pattern in SHARED for path in ROOT.glob(pattern)}
    for path, own in loops.items():
        if not own:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ImportFrom) or node.module is None or node.module.partition(".")[0] not in PACKAGES:
                continue
            origin = (ROOT / node.module.replace(".", "/")).with_suffix(".py")
            called = {alias.name for alias in node.names} & loops.get(origin, set())
            assert not called or origin in shared, f"{path} calls {called} of {origin}"


def test_a_loop_is_kept_and_made_anew_when_one_that_it_contains_has_changed(tmp_path: Path) -> None:
    package = tmp_path / "recommender"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(ROOT / "recommender" / "compiling.py", package)
    inner = "from recommender.compiling import compiled\n\n@compiled\ndef inner():\n    return {}\n"
    called = "compiled\nfrom recommender.inner_kernels import inner\n"
    outer = inner.replace("compiled\n", called, 1).replace("def inner", "def outer").format("inner()")
    (package / "outer.py").write_text(outer)

    def said() -> str:
        return subprocess.run([sys.executable, "-c", CALL], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    (package / "inner_kernels.py").write_text(inner.format(1))
    assert [said(), said()] == ["1 0", "1 1"]
    (package / "inner_kernels.py").write_text(inner.format(2))
    assert [said(), said()] == ["2 0", "2 1"]
