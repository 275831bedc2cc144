"""The query encoder: the vector of a text by the model that embedded the catalogue, without torch.

A build exports the model into four files of the generation, which say so where there is none to export. ONNX Runtime maps the weights
into memory and computes on the thread of the call. All of it is loaded with the first text: whoever never searches pays nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recommender.cores import cores
from recommender.errors import RecommenderError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

MODEL_FILE = "query_model.onnx"
WEIGHTS_FILE = "query_weights.bin"
TOKENIZER_FILE = "query_tokenizer.json"
ABOUT_FILE = "query_encoder.json"
ENCODER_FILES = (MODEL_FILE, WEIGHTS_FILE, TOKENIZER_FILE, ABOUT_FILE)

NONE = b"none\n"
"""What the files hold where there is no model."""
KEPT = 512
"""Vectors of texts that were asked for lately: many ask for the same."""

LONG = 32
"""Tokens from which texts take turns, a core each. What is computed on the way grows with the text: for 256 tokens of a small transformer
it is ten megabytes, which the C library keeps. Few queries are as long, and more at once would only wait for each other."""

RETRY_S = 60.0
"""How long a model that could not be loaded is left alone."""

log = logging.getLogger(__name__)

Vector = npt.NDArray[np.float32]


class About(BaseModel):
    """What a text is made into: at most `most_tokens` tokens, with what the tokenizer puts around them where the model wants its
    `special_tokens`, and of them a vector of `dimension` numbers. `prompt`: what the model wants before every query."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimension: int = Field(ge=1)
    most_tokens: int = Field(ge=1)
    prompt: str = ""
    special_tokens: bool = True


class QueryEncoder:
    """The encoder in the `ENCODER_FILES` of `folder`; of no files at all without one. Safe for many threads.

    `there`: whether there is a model. Making one raises OSError where the folder does not hold what says so.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        # Once: every search asks, and the files may be gone by then, with a generation that was pruned.
        self.there = folder is not None and (folder / ABOUT_FILE).stat().st_size > len(NONE)
        self._loading = threading.Lock()
        self._loaded: _Loaded | None = None
        # What was said of it, and not the exception, which would keep alive what every search held that met it.
        self._failure: tuple[float, str] | None = None
        self._kept: OrderedDict[str, Vector] = OrderedDict()

    @classmethod
    def none(cls) -> QueryEncoder:
        """The encoder where there is no model."""
        return cls()

    @classmethod
    def read(cls, folder: Path) -> QueryEncoder:
        """The encoder in the files of `folder`, which are not loaded yet. Raises OSError or ValueError where one is missing or empty."""
        for name in ENCODER_FILES:
            if not (folder / name).stat().st_size:
                raise ValueError(f"{name} is empty")
        made = cls(folder)
        if made.there:
            About.model_validate_json((folder / ABOUT_FILE).read_bytes())
        return made

    def vector(self, text: str) -> Vector:
        """The unit vector of `text`, shape (d,), float32, read-only; zeros for a text of which nothing is a token.

        Raises `RecommenderError` where the model cannot be loaded or does not answer.
        """
        with self._loading:
            kept = self._kept.get(text)
            if kept is not None:
                self._kept.move_to_end(text)
                return kept
            loaded = self._loaded = self._loaded or self._load()
        vector = loaded.vector(text)
        vector.flags.writeable = False
        with self._loading:
            self._kept[text] = vector
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return vector

    def _load(self) -> _Loaded:
        """Load the model, unless that has failed a moment ago: each try takes a while, and every one is told in the log."""
        if self._failure is not None and time.monotonic() < self._failure[0] + RETRY_S:
            raise RecommenderError(self._failure[1]) from None
        try:
            return _loaded(self.folder)
        except RecommenderError as error:
            message = str(error)
            self._failure = time.monotonic(), message
            log.error("queries are searched for without their meaning: %s", message)
            raise

    def write(self, folder: Path) -> None:
        """Write the files into the existing `folder`. Raises OSError."""
        for name in ENCODER_FILES:
            (folder / name).write_bytes(NONE if self.folder is None else (self.folder / name).read_bytes())


class _Loaded:
    def __init__(self, session: InferenceSession, tokenizer: Tokenizer, about: About) -> None:
        self._session, self._tokenizer, self._about = session, tokenizer, about
        self._inputs = {each.name for each in session.get_inputs()}
        self._turns = threading.Semaphore(cores())

    def vector(self, text: str) -> Vector:
        about = self._about
        tokens = self._tokenizer.encode(about.prompt + text, add_special_tokens=about.special_tokens)
        ids = np.array([tokens.ids], dtype=np.int64)
        if not ids.size:
            return np.zeros(self._about.dimension, dtype=np.float32)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        try:
            with self._turns if ids.size >= LONG else nullcontext():
                [made] = self._session.run(None, {name: value for name, value in given.items() if name in self._inputs})
        except Exception as error:
            # ONNX Runtime raises classes of its own that share no root.
            raise RecommenderError(f"the query encoder does not answer ({type(error).__name__}: {error})") from error
        vector = np.ascontiguousarray(np.asarray(made)[0], dtype=np.float32)
        length = float(np.linalg.norm(vector))
        if vector.shape != (self._about.dimension,) or not np.isfinite(length):
            raise RecommenderError(f"the query encoder gave a vector of shape {vector.shape} and length {length}")
        return vector / np.float32(length) if length > 0 else vector


def _loaded(folder: Path | None) -> _Loaded:
    # Imported with the first search: together they take a tenth of a second and twenty megabytes.
    import onnxruntime
    from tokenizers import Tokenizer

    if folder is None:
        raise RecommenderError("there is no query encoder")
    options: Any = onnxruntime.SessionOptions()
    # Calls run beside each other already; threads inside each would only fight, and arenas keep what one long text once took.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        about = About.model_validate_json((folder / ABOUT_FILE).read_bytes())
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        tokenizer.no_padding()
        tokenizer.enable_truncation(about.most_tokens)
        session = onnxruntime.InferenceSession(str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"])
    except (OSError, ValidationError) as error:
        raise RecommenderError(f"the query encoder cannot be read ({error})") from error
    except Exception as error:
        raise RecommenderError(f"the query encoder cannot be loaded ({type(error).__name__}: {error})") from error
    return _Loaded(session, tokenizer, about)
