"""Who may import whom: the table of packages, held against every import statement and against a running process."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("recommender", "indexing", "server", "eval")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GENERATED = re.compile(r"_pb2(_grpc)?$")
ONLY_FOR_BUILDING = ("torch", "sentence_transformers", "implicit", "lightgbm", "pandas")


def sources(package: str) -> list[Path]:
    """Every module of `package`, sorted."""
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """(module, names taken from it, level) of every import statement in `path`, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, (), 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", tuple(alias.name for alias in node.names), node.level


def module_name(path: Path) -> str:
    """The dotted name of the module at `path`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """The import contracts of pyproject.toml, checked on the packages in `folder`."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    wide = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=wide, capture_output=True, text=True, check=False)


def test_every_import_contract_is_kept() -> None:
    result = lint_imports(ROOT)

    assert result.returncode == 0, result.stdout + result.stderr


def test_every_import_contract_notices_when_it_is_broken(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    offences = {
        "recommender/items.py": "import torch\nimport grpc\nfrom recommender.v1 import types_pb2\n",
        "indexing/__init__.py": "import grpc\n",
        "server/__init__.py": "import indexing\n",
        "eval/__init__.py": "import server\n",
    }
    for name, offence in offences.items():
        with (tmp_path / name).open("a", encoding="utf-8") as module:
            module.write(f"\n{offence}")

    result = lint_imports(tmp_path)

    contracts = [contract["name"] for contract in PYPROJECT["tool"]["importlinter"]["contracts"]]
    broken = {name for name in contracts if re.search(rf"^{re.escape(name)} BROKEN", result.stdout, re.MULTILINE)}
    assert result.returncode == 1, result.stdout + result.stderr
    assert broken == set(contracts), result.stdout


@pytest.mark.parametrize("package", ["recommender", "server"])
def test_a_process_that_imports_all_that_serves_loads_nothing_that_only_building_needs(package: str) -> None:
    # Migrations are scripts that alembic runs; they cannot be imported by name.
    modules = [module_name(path) for path in sources(package) if "migrations" not in path.parts and path.stem != "__main__"]
    assert package in modules
    program = (
        "import importlib, sys\n"
        f"for module in {modules!r}: importlib.import_module(module)\n"
        f"print(sorted(set({(*ONLY_FOR_BUILDING, 'indexing', 'eval')!r}) & set(sys.modules)))"
    )

    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (result.stdout, result.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    "module",
    [
        "recommender.ranking",
        "recommender.generation.contents",
        "recommender.engine",
        "recommender.judging",
        "indexing.blending.blending",
        "indexing.fitting",
    ],
)
def test_a_module_can_be_the_first_to_be_imported(module: str) -> None:
    result = subprocess.run([sys.executable, "-c", f"import {module}"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("package", PACKAGES)
def test_generated_code_is_imported_from_one_place_only(package: str) -> None:
    generated = {path.stem for path in (ROOT / "recommender/v1").glob("*_pb2*.py")}
    libraries = ("google.protobuf", "grpc_health", "grpc_reflection")
    for path in sources(package):
        for module, names, level in imports(path):
            # `from recommender.v1 import feed_pb2` is the one spelling allowed; protobuf's own modules are the libraries' affair.
            if module.startswith(libraries) or not any(GENERATED.search(name) for name in (module, *names)):
                continue
            assert (module, level) == ("recommender.v1", 0), f"{path} imports generated code by {module or '.'} and {names}"
            assert set(names) <= generated, f"{path} imports {names} of recommender.v1, which has {sorted(generated)}"


@pytest.mark.parametrize(
    ("package", "extras"),
    [("recommender", ("postgres",)), ("server", ()), ("indexing", ("build", "demo")), ("eval", ("build", "demo", "evaluate"))],
)
def test_every_library_that_a_package_imports_is_one_that_its_install_names(package: str, extras: tuple[str, ...]) -> None:
    project = PYPROJECT["project"]
    requirements = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    declared = {canonicalize_name(Requirement(text).name) for text in requirements}
    providers = packages_distributions()
    for path in sources(package):
        for module, _, level in imports(path):
            top = module.partition(".")[0]
            if level or top in sys.stdlib_module_names or top in PACKAGES:
                continue
            provided_by = {canonicalize_name(name) for name in providers.get(top, ())}
            assert provided_by & declared, (
                f"{path} imports {module} of {sorted(provided_by)}, which pyproject.toml does not name for {package}"
            )


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_of_modules_is_a_package(package: str) -> None:
    folders = {path.parent for path in sources(package) if path.parent.name != "versions"}
    without = sorted(str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").is_file())
    assert without == []
