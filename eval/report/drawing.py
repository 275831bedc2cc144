"""Drawings as SVG that stands inside a page: in the page's own colour of text, without a name that another drawing has too.

matplotlib is loaded here and nowhere else.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK = "#010203"
"""Stands for the page's colour of text, so that a drawing can be read on light and dark alike."""

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BROWN, PINK, OLIVE, GREY = (
    "#3b82c4",
    "#cf7a1f",
    "#2f9e72",
    "#d1495b",
    "#8e6bbf",
    "#2b93b8",
    "#a0724a",
    "#c9669a",
    "#8a8a24",
    "#8a8f98",
)
"""Colours of a contrast of 3 or more with white and with the near-black of dark pages."""

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.13,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.12,
    "figure.constrained_layout.h_pad": 0.08,
}
_ID = re.compile(r'\b(id="|href="#|url\(#)')


@dataclass
class Drawing:
    """What `drawn` hands out: draw into `figure`; `svg` and `png` are there when its block has ended."""

    figure: Figure
    svg: str = field(default="")
    png: bytes = field(default=b"")


@contextmanager
def drawn(name: str, width: float, height: float, *, png: bool = False) -> Iterator[Drawing]:
    """A drawing of `width` by `height` inches; `name` is a word that no other drawing of the page has.

    With `png` it is also made as a picture on white, to look at.
    """
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        # Browsers have letters that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        drawing = Drawing(Figure(figsize=(width, height)))
        yield drawing
        drawing.svg = _svg(drawing.figure, name)
        if png:
            buffer = io.BytesIO()
            drawing.figure.savefig(buffer, format="png", dpi=110, facecolor="white")
            drawing.png = buffer.getvalue()


def _svg(figure: Figure, name: str) -> str:
    FigureCanvasSVG(figure)
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = _ID.sub(rf"\g<1>{name}-", text).replace(INK, "currentColor")
    # The figure around it says in words what is drawn; a reader of screens would spell out every tick.
    return text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def bare(axes: Axes) -> None:
    """Take the lines across the bars away, which say nothing where every bar has a name."""
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
