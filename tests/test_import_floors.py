"""Imports go down: a module sees the floors under its own, and its own package; no cycles; MLflow in one place."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "transpose"

# Every module or package directly under transpose/, and packages within them that are lower than the rest. The ground
# floor may lean on itself.
FLOORS = {
    "allocator": 1,
    "background": 1,
    "columns": 1,
    "errors": 1,
    "skeleton": 1,
    "keypoint_names": 1,
    "clock": 1,
    "codec": 2,
    "config": 1,
    "disk": 1,
    "files": 1,
    "gpu_slots": 2,
    "job_usage": 1,
    "machine": 1,
    "timing": 1,
    "memory": 1,
    "palette": 1,
    "device": 1,
    "replay": 2,
    "progress": 1,
    "provenance": 1,
    "syntax": 1,
    "terminal": 2,  # the package snakemake_logger_plugin_transpose imports it in every start of Snakemake
    "geometry": 2,
    "study": 4,  # over data, whose files it counts as inputs
    "data": 3,
    "synthetic": 4,
    "models": 4,
    "inference": 5,
    "attention.maps": 5,
    "pose_model": 6,
    "model_sources": 8,
    "export": 7,
    "several_models": 7,
    "": 9,  # the package itself exports what users import
    "attention": 9,  # over evaluation: ablations end in AP
    "evaluation": 8,  # over export, whose files predictions may run
    "cost": 6,
    "forecast": 7,  # over cost, and data, whose files it counts; it imports torch only for networks that are new
    "training": 9,  # over evaluation, since it validates as it goes
    "reporting": 10,
    "tracking": 10,
    "benchmark": 10,  # over training, whose steps it times
    "serving": 11,  # over reporting, whose style and colours its page has
    "cli": 12,
    "step_server": 13,  # over the commands, which its copies run
    "__main__": 14,
}
ALONE = {"mlflow": "tracking"}
OUTSIDE = {"benchmarks", "tests", "tools"}  # of the repository, and not installed with the package


def module_paths(package: Path) -> dict[str, Path]:
    """Dotted name -> file, of every module; a package goes by its own name, not by `__init__`."""
    paths = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return paths


def imported_names(module: str, path: Path) -> Iterator[str]:
    """Every dotted name that `path` imports, anywhere in it; `from a import b` gives `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module if path.name == "__init__.py" else module.rpartition(".")[0]
                for _ in range(node.level - 1):
                    package = package.rpartition(".")[0]
                base = f"{package}.{base}".rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def owning_module(name: str, modules: dict[str, Path]) -> str | None:
    """The longest prefix of `name` that is a module of ours, or None for a stranger."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def unit(module: str, floors: dict[str, int]) -> str:
    """`transpose.data.crops` -> `data`, or `data.crops` if that has a floor; the package itself -> ``."""
    name = module.partition(".")[2]
    while "." in name and name not in floors:
        name = name.rpartition(".")[0]
    return name


def violations(package: Path, floors: dict[str, int]) -> list[str]:
    """One line for each broken rule, empty when the house stands."""
    modules = module_paths(package)
    homeless = sorted({unit(name, floors) for name in modules} - {"", *floors})
    if homeless:
        return [f"transpose.{name} has no floor: give it one in FLOORS" for name in homeless]
    problems = []
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        imports = set(imported_names(module, path))
        graph[module] = {owner for name in imports if (owner := owning_module(name, modules))} - {module}
        own_unit = unit(module, floors)
        outsiders = sorted({name.split(".")[0] for name in imports} & OUTSIDE)
        problems += [f"{module} imports {outsider}, which is not installed with it" for outsider in outsiders]
        for stranger, home in ALONE.items():
            if own_unit != home and any(name.split(".")[0] == stranger for name in imports):
                problems.append(f"{module} imports {stranger}: only transpose.{home} may")
        for target in sorted(graph[module]):
            here, there = floors[own_unit], floors[unit(target, floors)]
            own = own_unit == unit(target, floors) or here == there == 1
            if there > here or (there == here and not own):
                problems.append(f"{module} (floor {here}) imports {target} (floor {there})")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        problems.append("cycle: " + " -> ".join(reversed(error.args[1])))
    return problems


def test_the_house_stands() -> None:
    assert violations(PACKAGE, FLOORS) == []


_MAPS = {"attention/maps/__init__.py": "", "attention/maps/b.py": "import numpy"}
_UP = "transpose.attention.maps.c (floor 5) imports transpose.attention.a (floor 9)"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"geometry.py": "", "data/__init__.py": "", "data/crops.py": "from transpose.geometry import f"}, None),
        ({"data/__init__.py": "", "data/a.py": "from . import b", "data/b.py": "import numpy"}, None),
        ({"errors.py": "", "files.py": "from transpose.errors import InputError"}, None),
        ({"tracking.py": "import mlflow.pytorch"}, None),
        ({"tracking/__init__.py": "", "tracking/store.py": "import mlflow"}, None),
        ({"geometry.py": "from transpose.cli import main", "cli.py": ""}, "geometry (floor 2) imports transpose.cli"),
        ({"geometry.py": "import transpose.cli as c", "cli.py": ""}, "geometry (floor 2) imports transpose.cli"),
        ({"geometry.py": "def f():\n    from .cli import main", "cli.py": ""}, "imports transpose.cli (floor 12)"),
        ({"data/__init__.py": "", "data/a.py": "from ..cli import main", "cli.py": ""}, "imports transpose.cli"),
        ({"data/__init__.py": "from .. import cli", "cli.py": ""}, "transpose.data (floor 3) imports transpose.cli"),
        ({"cost.py": "from transpose import evaluation", "evaluation/__init__.py": ""}, "imports transpose.evaluation"),
        ({"__init__.py": "from transpose import cli", "cli.py": ""}, "transpose (floor 9) imports transpose.cli"),
        (
            {"data/__init__.py": "", "data/a.py": "from transpose.data import b", "data/b.py": "from .a import c"},
            "cycle: transpose.data.",
        ),
        ({"errors.py": "import transpose.files", "files.py": "import transpose.errors"}, "cycle: transpose."),
        ({"attention/__init__.py": "", "attention/a.py": "from .maps import b", **_MAPS}, None),
        ({"attention/__init__.py": "", "attention/a.py": "", **_MAPS, "attention/maps/c.py": "from .. import a"}, _UP),
        ({"newcomer.py": ""}, "transpose.newcomer has no floor"),
        ({"novelty/__init__.py": "", "novelty/a.py": ""}, "transpose.novelty has no floor"),
        ({"cli.py": "def f():\n    import mlflow"}, "transpose.cli imports mlflow: only transpose.tracking may"),
        ({"cli.py": "from mlflow.tracking import MlflowClient"}, "transpose.cli imports mlflow"),
        ({"cli.py": "def f():\n    from benchmarks.stages import decode"}, "transpose.cli imports benchmarks, which"),
    ],
)
def test_made_up_houses(tmp_path: Path, files: dict[str, str], expected: str | None) -> None:
    package = tmp_path / "transpose"
    for name, text in {"__init__.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    problems = violations(package, FLOORS)
    if expected is None:
        assert problems == []
    else:
        assert len(problems) == 1
        assert expected in problems[0]
