"""The wire contract: its generated modules are those of the .proto files, it is in good style, and it never breaks callers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "proto"
V1 = "recommender/v1"


def buf(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run buf in `folder`, which holds buf.yaml."""
    command = [str(Path(sys.executable).with_name("buf")), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def generated(root: Path) -> dict[str, str]:
    """The generated modules and stubs below `root`, by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in (root / V1).glob("*_pb2*")}


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """A copy of the contract that a test may edit."""
    return Path(shutil.copytree(PROTO, tmp_path / "proto"))


def edit(path: Path, old: str, new: str) -> None:
    """Replace the one occurrence of `old` in the file at `path`."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_checked_in_modules_are_what_the_proto_files_generate(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(PROTO / "regenerate.py"), str(tmp_path)], check=True, capture_output=True)

    fresh, checked_in = generated(tmp_path), generated(ROOT)
    assert fresh.keys() == checked_in.keys()
    stale = [name for name, text in fresh.items() if text != checked_in[name]]
    assert stale == [], "run `make proto`"


def test_only_files_with_a_service_have_grpc_modules() -> None:
    with_service = {path.stem for path in (PROTO / V1).glob("*.proto") if "\nservice " in path.read_text(encoding="utf-8")}
    with_modules = {path.name.removesuffix("_pb2_grpc.py") for path in (ROOT / V1).glob("*_pb2_grpc.py")}
    assert with_modules == with_service
    assert "types" not in with_service


def test_regenerating_removes_modules_that_the_contract_no_longer_has_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / V1).mkdir(parents=True)
    (tmp_path / V1 / "__init__.py").touch()
    (tmp_path / V1 / "gone_pb2.py").touch()

    subprocess.run([sys.executable, str(PROTO / "regenerate.py"), str(tmp_path)], check=True, capture_output=True)

    assert not (tmp_path / V1 / "gone_pb2.py").exists()
    assert (tmp_path / V1 / "__init__.py").exists()


def test_buf_finds_no_fault_with_the_contract() -> None:
    result = buf("lint", folder=PROTO)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_field_without_a_comment_is_a_fault(contract: Path) -> None:
    edit(
        contract / V1 / "catalog.proto",
        "  // Ids that no item has.\n  repeated string unknown_item_ids = 2;\n}\n\n// Asks to hide",
        "  repeated string unknown_item_ids = 2;\n}\n\n// Asks to hide",
    )

    result = buf("lint", folder=contract)

    assert result.returncode != 0
    assert "unknown_item_ids" in result.stdout


def test_the_contract_still_understands_every_caller_of_the_baseline() -> None:
    result = buf("breaking", "--against", "baseline.binpb", folder=PROTO)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("catalog.proto", "string item_id = 1;", "int64 item_id = 1;", "changed type"),
        ("catalog.proto", "bool awaits_reindex = 4", "bool awaits_reindex = 6", 'Previously present field "4"'),
        ("catalog.proto", "rpc SetState(SetStateRequest) returns (SetStateResponse);", "", 'Previously present RPC "SetState"'),
        ("catalog.proto", "UPSERT_STATUS_REJECTED = 4;", "UPSERT_STATUS_REFUSED = 4;", "UPSERT_STATUS_REJECTED"),
    ],
)
def test_an_edit_that_breaks_callers_is_noticed(contract: Path, file: str, old: str, new: str, complaint: str) -> None:
    edit(contract / V1 / file, old, new)

    result = buf("breaking", "--against", "baseline.binpb", folder=contract)

    assert result.returncode != 0
    assert complaint in result.stdout
