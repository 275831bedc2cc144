"""What typing titles came to: measured on the active generation of a data folder, and as a table."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from eval.search.titles import FIRST, measure_titles
from recommender.engine import Recommender
from recommender.errors import NoGeneration
from recommender.generation import Generations

VERSIONS = ("numpy", "faiss-cpu", "onnxruntime", "tokenizers")


def of_folder(data: Path, *, seed: int, most: int) -> dict[str, Any]:
    """All figures of the generation that is active below the data folder, as JSON holds them. Raises `NoGeneration`, and what loading one
    raises. Filters, freshness and validity are as of the moment when it was built."""
    generations = Generations(data / "generations")
    current = generations.current_id()
    if current is None:
        raise NoGeneration(f"nothing is published below {data}; run `recommender reindex`")
    generation = generations.load(current)
    manifest, engine = generation.manifest, Recommender.of(generation)
    return {
        "inputs": {
            "generation": current,
            "items": manifest.items,
            "model": manifest.embedder if engine.contents.encoder.there else "none",
            "seed": seed,
            **{f"{name} version": version(name) for name in VERSIONS},
        },
        "lines": measure_titles(engine, now=manifest.created_at, seed=seed, most=most),
    }


def show_titles(figures: dict[str, Any], console: Console) -> None:
    """Print inputs and the table."""
    console.print(", ".join(f"{name}: {value}" for name, value in figures["inputs"].items()), soft_wrap=True)
    names = ("recall@1", f"recall@{FIRST}")
    table = Table("titles", "typed", "count", *names, "ms", box=None)
    for line in figures["lines"]:
        cells = [f"{line[name]['mean']:.4f} [{line[name]['low']:.4f}, {line[name]['high']:.4f}]" for name in names]
        table.add_row(line["titles"], line["typed"], f"{line['count']:,}", *cells, f"{line['ms']:.2f}")
    console.print(table)
    console.print("In brackets: 95 % intervals over titles. ms: processor time of one search, median.", soft_wrap=True)
