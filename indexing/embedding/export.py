"""The query encoder of a build: the embedding model, exported once and kept, and compared with itself before it is believed."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import time
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexing.embedding.model import Embedder
from indexing.embedding.onnx_graphs import NotUnderstood, graph_of, in_eight_bits, write_graph
from recommender.errors import RecommenderError
from recommender.search.query_encoder import ABOUT_FILE, ENCODER_FILES, MODEL_FILE, TOKENIZER_FILE, WEIGHTS_FILE, About, QueryEncoder

FOLDER = "encoders"
FORMAT = 1
"""Of what is kept; another one whenever the same model is exported in another way."""
MADE_WITH = ("torch", "transformers", "sentence-transformers", "onnx", "onnxscript")
REFUSED = "refused.txt"
LEAST_COSINE = {True: 0.995, False: 0.9999}
"""How near to the model's own vectors those of an export in eight bits, or in none fewer than the model has, must be."""
TEXTS = (
    "a",
    "Star Wars (1977)",
    "toy story",
    "films about robots that travel through time, for children",
    "Amélie – le fabuleux destin d'une serveuse",
    "千と千尋の神隠し",
    "élection présidentielle: les résultats du second tour dans votre région",
    "a quiet thriller in which two detectives in a small town look for somebody who vanished years ago, and find that all of their "
    "neighbours know more than they are willing to tell; with a score for strings alone. " * 3,
)
"""Texts that are compared: short and long ones, in several scripts."""

UNUSED = timedelta(days=30)
"""How long an export is kept that no build uses."""

log = logging.getLogger(__name__)


def query_encoder(embedder: Embedder, cache_folder: Path) -> QueryEncoder:
    """The encoder of queries by the model `embedder`, kept in `cache_folder` so that only the first build exports it.

    None, with a warning in the log, where the model is not understood or its export gives other vectors than the model: search goes by
    words then. Exports that no build has asked for in `UNUSED` are removed.
    """
    folder = cache_folder / FOLDER / _identity(embedder)
    if not folder.is_dir():
        _keep(embedder, folder)
    _drop_unused(folder)
    if (folder / REFUSED).exists():
        why = (folder / REFUSED).read_text(encoding="utf-8")
        log.warning("queries are not searched for by their meaning, since %s cannot be exported: %s", embedder.name, why)
        return QueryEncoder.none()
    return QueryEncoder(folder)


def _drop_unused(used: Path) -> None:
    """Remove the exports beside the one in the folder `used` that no build has used for long, as after an upgrade or of another model."""
    try:
        os.utime(used)
        for other in used.parent.iterdir():
            if other != used and time.time() - other.stat().st_mtime > UNUSED.total_seconds():
                shutil.rmtree(other)
    except OSError as error:
        # They take some room, which is no reason to fail a night.
        log.warning("exports of models that are not used any more cannot be removed: %s", error)


def _identity(embedder: Embedder) -> str:
    made_with = [
        FORMAT,
        embedder.name,
        *(version(name) for name in ("torch", "transformers", "sentence-transformers", "onnx", "onnxscript")),
    ]
    return hashlib.sha256(repr(made_with).encode()).hexdigest()[:16]


def _keep(embedder: Embedder, folder: Path) -> None:
    unfinished = folder.with_name(f".new-{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
    except OSError as error:
        raise RecommenderError(f"the query encoder cannot be kept in {folder.parent}: {error}") from error
    try:
        # Whatever precision the catalogue is embedded with.
        _export(replace(embedder, precision="float32").load().model, unfinished)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise RecommenderError(f"the query encoder cannot be kept in {folder.parent}: {error}") from error
    except Exception as error:
        # Exporters of many architectures fail in as many ways; none of them may fail a night.
        why = str(error) if isinstance(error, RecommenderError) else f"{type(error).__name__}: {error}"
        for name in ENCODER_FILES:
            (unfinished / name).unlink(missing_ok=True)
        (unfinished / REFUSED).write_text(why.splitlines()[0] if why else type(error).__name__, encoding="utf-8")
    unfinished.rename(folder)


def _export(model: Any, folder: Path) -> None:
    """Write the files of the encoder of `model` into the existing `folder`. Raises `NotUnderstood` and whatever its export raises."""
    wanted = np.asarray(model.encode_query(list(TEXTS), normalize_embeddings=True, show_progress_bar=False), dtype=np.float32)
    graph, tokenizer, most = graph_of(model)
    prompt = (model.prompts or {}).get("query") or ""
    special = hasattr(model[0], "processor")
    (folder / TOKENIZER_FILE).write_text(tokenizer, encoding="utf-8")
    about = About(dimension=wanted.shape[1], most_tokens=most, prompt=prompt, special_tokens=special)
    (folder / ABOUT_FILE).write_text(about.model_dump_json(), encoding="utf-8")
    nearest = 0.0
    for eight_bits in (True, False):
        (folder / WEIGHTS_FILE).unlink(missing_ok=True)
        write_graph(in_eight_bits(graph) if eight_bits else graph, folder, MODEL_FILE, WEIGHTS_FILE)
        nearest = _nearness(QueryEncoder(folder), wanted)
        if nearest >= LEAST_COSINE[eight_bits]:
            return
    raise NotUnderstood(
        f"its export is not the same model: a cosine of {nearest:.4f} to its own vectors, allowed from {LEAST_COSINE[False]}"
    )


def _nearness(encoder: QueryEncoder, wanted: npt.NDArray[np.float32]) -> float:
    """The lowest cosine of the encoder's vectors of `TEXTS` with those that are `wanted`."""
    made = np.stack([encoder.vector(text) for text in TEXTS])
    return float((made * wanted).sum(axis=1).min())
