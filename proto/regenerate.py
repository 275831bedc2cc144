"""Write the modules of the wire contract anew: `python proto/regenerate.py [ROOT]`.

ROOT (default: this repository) receives `recommender/v1/*_pb2*.py` and their stubs; modules of that folder which the
contract no longer has are removed. Files without a service get no `_pb2_grpc` modules.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

PROTO = Path(__file__).resolve().parent
PACKAGE = Path("recommender/v1")


def protoc(sources: Sequence[str], *options: str) -> None:
    """Run the compiler on `sources`, relative to `proto/`. Raises `CalledProcessError` after it has said why."""
    plugins = [f"--plugin={name}={Path(sys.executable).with_name(name)}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    include = [f"-I{PROTO}", f"-I{files('grpc_tools') / '_proto'}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *include, *plugins, *options, *sources], check=True)


def regenerate(root: Path) -> list[Path]:
    """Write all generated modules below `root` and return them, sorted. Nothing changes where the contract does not compile."""
    sources = sorted(str(path.relative_to(PROTO)) for path in (PROTO / PACKAGE).glob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        descriptors = Path(folder) / "descriptors.binpb"
        protoc(sources, f"--descriptor_set_out={descriptors}", f"--python_out={folder}", f"--mypy_out=quiet:{folder}")
        services = sorted(file.name for file in FileDescriptorSet.FromString(descriptors.read_bytes()).file if file.service)
        protoc(services, f"--grpc_python_out={folder}", f"--mypy_grpc_out=quiet:{folder}")
        generated = {path.name: path.read_bytes() for path in (Path(folder) / PACKAGE).iterdir()}
    package = root / PACKAGE
    package.mkdir(parents=True, exist_ok=True)
    for stale in package.glob("*_pb2*.py*"):
        if stale.name not in generated:
            stale.unlink()
    for name, content in generated.items():
        (package / name).write_bytes(content)
    return sorted(package / name for name in generated)


if __name__ == "__main__":
    for written in regenerate(Path(sys.argv[1]) if len(sys.argv) > 1 else PROTO.parent):
        print(written)
