from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexing.embedding import find_embedder
from recommender.errors import InvalidInput


def test_a_model_is_loaded_from_its_folder(model: Path) -> None:
    loaded = find_embedder(str(model)).load()
    vectors = loaded.encode(["rocket orbit", "planet moon", "rose tulip"])
    assert vectors.shape == (3, loaded.dimension) == (3, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_half_precision_has_a_name_and_so_a_cache_of_its_own(model: Path) -> None:
    full, half = find_embedder(str(model)), find_embedder(str(model), "bfloat16")
    assert half.name == f"{full.name}/bfloat16"


def test_a_models_name_follows_its_weights_not_where_it_lies(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / model.name
    shutil.copytree(model, copy)
    assert find_embedder(str(copy)).name == find_embedder(str(model)).name
    weights = next(copy.rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00\x01")
    assert find_embedder(str(copy)).name != find_embedder(str(model)).name


def test_naming_a_model_loads_nothing(model: Path) -> None:
    program = "import sys; from indexing.embedding import find_embedder; find_embedder(sys.argv[1]); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, str(model)], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_default_model_is_that_of_the_package() -> None:
    embedder = find_embedder("auto")
    assert Path(embedder.where).is_dir()
    assert embedder.name.startswith("model@")


@pytest.mark.parametrize("name", ["/no/such/folder", "./no-such-folder", "with spaces/and?signs"])
def test_what_cannot_be_a_model_is_refused_without_asking_anybody(name: str) -> None:
    with pytest.raises(InvalidInput, match="a folder that exists"):
        find_embedder(name)


def test_a_folder_that_holds_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("not json")
    with pytest.raises(InvalidInput, match="that can be loaded"):
        find_embedder(str(tmp_path)).load()


def test_a_model_with_damaged_weights_is_refused(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "damaged"
    shutil.copytree(model, copy)
    next(copy.rglob("*.safetensors")).write_bytes(b"\xff" * 100)
    with pytest.raises(InvalidInput, match="that can be loaded"):
        find_embedder(str(copy)).load()


@pytest.mark.parametrize("name", ["no-such-owner/no-such-model", "no-such-model"])
def test_an_unknown_model_out_of_reach_of_the_hub_is_refused_at_once(name: str, tmp_path: Path) -> None:
    # A closed port stands for a hub that cannot be reached, whatever the network of the machine.
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    program = (
        "import sys; from indexing.embedding import find_embedder; from recommender.errors import InvalidInput\n"
        "try: find_embedder(sys.argv[1])\n"
        "except InvalidInput as error: print(error)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, env=environment, check=True, timeout=60)
    message, torch_imported = done.stdout.splitlines()
    assert name in message
    assert "the Hugging Face hub cannot be reached" in message
    assert torch_imported == "False"
    # It tried once: the hub's client announces each further try.
    assert "Retry" not in done.stderr
