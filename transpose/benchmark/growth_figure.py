"""Figure of time and memory of loader and evaluator against the number of persons."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transpose.benchmark.growth import Growth
from transpose.reporting.figure_style import save, style_of, tidy

_LOADER, _EVALUATOR, _INPUT = 0, 1, 2
"""Colour indices of the lines."""


def plot_growth(growth: Growth, path: Path) -> None:
    """Plot two panels on logarithmic axes; a dashed line through the last point shows linear growth."""
    figure = Figure(figsize=(9.5, 4.2), layout="constrained")
    times, memory = figure.subplots(1, 2)
    loader = [one.persons for one in growth.loader], [one.build_seconds for one in growth.loader]
    evaluator = [one.persons for one in growth.evaluator], [one.seconds for one in growth.evaluator]
    times.plot(*loader, label="loader: building samples and crops", **style_of(_LOADER))
    times.plot(*evaluator, label="evaluator: seven results per person", **style_of(_EVALUATOR))
    for persons, seconds in (loader, evaluator):
        linear = [seconds[-1] * count / persons[-1] for count in persons]
        times.plot(persons, linear, color="grey", linewidth=0.8, linestyle="--")
    times.plot([], [], color="grey", linewidth=0.8, linestyle="--", label="linear, through the last point")
    _finish(times, "seconds")
    memory.plot(
        loader[0], [one.worker_mb for one in growth.loader], label="loading process, private", **style_of(_LOADER)
    )
    memory.plot(
        evaluator[0],
        [one.memory_mb for one in growth.evaluator],
        label="evaluator, without input",
        **style_of(_EVALUATOR),
    )
    memory.plot(evaluator[0], [one.input_mb for one in growth.evaluator], label="evaluator, input", **style_of(_INPUT))
    _finish(memory, "memory (MB)")
    save(figure, path)


def _finish(axes: Axes, label: str) -> None:
    axes.set(xscale="log", yscale="log", xlabel="persons", ylabel=label)
    axes.legend(frameon=False, fontsize=8)
    tidy(axes)
