"""Shared style of all figures: colours, markers, axes and output as PNG (no display is needed)."""

from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transpose.files import atomic_path, atomic_paths
from transpose.palette import COLOURS

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DPI = 150


def style_of(index: int) -> dict:
    """Return colour, marker and line style of the variant at an index of the study's list."""
    colour = COLOURS[index % len(COLOURS)]
    line = ("-", "--", ":")[index // len(COLOURS) % 3]
    return {"color": colour, "marker": _MARKERS[index % len(_MARKERS)], "linestyle": line}


def tidy(axes: Axes) -> None:
    """Apply the grid and frame of all figures."""
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def add_legend(figure: Figure, axes: Axes) -> None:
    """Draw the legend of some axes, if it has entries, to the right of the figure."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside right center", frameon=False)


def plain(text: str) -> str:
    """Return text that matplotlib shows unchanged."""
    # A dollar sign would start matplotlib's formula language.
    return text.replace("$", r"\$")


def save(figure: Figure, path: Path, dpi: int = _DPI) -> None:
    """Write a figure atomically."""
    with atomic_path(path) as temporary:
        # No date and version in the file: equal figures have equal bytes.
        figure.savefig(temporary, dpi=dpi, metadata={"Software": None})


def save_with_svg(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, and as SVG without a background next to it: both or none."""
    with (
        atomic_paths(path, path.with_suffix(".svg")) as (png, svg),
        # Otherwise ids in the file are random.
        rc_context({"svg.hashsalt": path.stem}),
    ):
        figure.savefig(png, format="png", dpi=_DPI, metadata={"Software": None})
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
