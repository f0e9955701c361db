"""pyproject.toml states ranges, the lock files and environment.yml pin, and the package imports what it declares."""

import ast
import importlib.metadata
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FILES = (
    "pyproject.toml",
    "environment.yml",
    "requirements/constraints.txt",
    "requirements/lock.txt",
    "requirements/docs.txt",
    "requirements/torch.txt",
    "requirements/torch-cpu.txt",
    "requirements/xtcocotools.txt",
)
OUTSIDE_THE_LOCK = {"slurm", "storage", "docs"}


def pin(text: str) -> tuple[str, str]:
    """Return (name, version) of an exact requirement. Raises ValueError when it is not exact."""
    requirement = Requirement(text)
    (specifier,) = requirement.specifier or [None]
    if specifier is None or specifier.operator != "==" or "*" in specifier.version:
        raise ValueError(f"{text} is not pinned")
    return canonicalize_name(requirement.name), specifier.version


def hashed_pins(path: Path) -> dict[str, str]:
    """Return the pins of a pip requirements file. Raises ValueError when one is not exact or has no hash."""
    text = re.sub(r"^\s*#.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pins = {}
    for line in filter(None, (line.strip() for line in text.replace("\\\n", " ").splitlines())):
        requirement, *hashes = re.split(r"\s+--hash=", line)
        if not hashes or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes):
            raise ValueError(f"{requirement} has no hash")
        name, version = pin(requirement)
        pins[name] = version
    return pins


def read_pyproject(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def requirements_of(pyproject: dict[str, Any]) -> dict[str, list[Requirement]]:
    """Return the requirements of the package ("") and of each extra and dependency group."""
    project = pyproject["project"]
    texts = {"": project["dependencies"], **project["optional-dependencies"], **pyproject["dependency-groups"]}
    return {name: [Requirement(text) for text in group] for name, group in texts.items()}


def unmet(requirements: list[Requirement], pins: dict[str, str], file: str) -> list[str]:
    """Return one line for each requirement that no pin of a file meets."""
    versions = [(requirement, pins.get(canonicalize_name(requirement.name))) for requirement in requirements]
    return [
        f"pyproject.toml needs {requirement}, {file} has {version or 'none'}"
        for requirement, version in versions
        if version is None or not requirement.specifier.contains(version)
    ]


def disagreements(root: Path) -> list[str]:
    """Return one line for each disagreement between the files that name versions."""
    pyproject = read_pyproject(root)
    environment = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))
    python, _, conda_pip = environment["dependencies"]
    constraints = (root / "requirements/constraints.txt").read_text(encoding="utf-8")
    try:
        torch = dict(map(pin, re.findall(r"^torch\S+", constraints, flags=re.MULTILINE)))
        lock = hashed_pins(root / "requirements/lock.txt")
        second_evaluator = hashed_pins(root / "requirements/xtcocotools.txt")
        docs = hashed_pins(root / "requirements/docs.txt")
        builds = [hashed_pins(root / f"requirements/{name}.txt") for name in ("torch", "torch-cpu")]
        conda = dict(map(pin, conda_pip["pip"]))
    except ValueError as error:
        return [str(error)]
    pins, groups = lock | torch, requirements_of(pyproject)
    locked = [requirement for name, group in groups.items() if name not in OUTSIDE_THE_LOCK for requirement in group]
    problems = unmet(locked, pins, "requirements/lock.txt") + unmet(groups["docs"], docs, "requirements/docs.txt")
    problems += [
        f"{requirement} is exact in pyproject.toml"
        for group in groups.values()
        for requirement in group
        if any(specifier.operator == "==" for specifier in requirement.specifier)
    ]
    problems += [
        f"{name}: {pins.get(name)} in the lock, {conda.get(name)} in environment.yml"
        for name in sorted({*pins, *conda})
        if pins.get(name) != conda.get(name)
    ]
    described = {entry["name"]: entry["version"] for entry in pyproject["tool"]["uv"]["dependency-metadata"]}
    if described != torch:
        problems.append(f"dependency-metadata of pyproject.toml describes {described}, constraints.txt has {torch}")
    problems += [
        f"{name}: {version} for torch, {(lock | torch).get(name)} elsewhere"
        for build in builds
        for name, version in build.items()
        if version.partition("+")[0] != (lock | torch).get(name, version)
    ]
    problems += [f"{name} belongs outside the lock" for name in sorted((torch | second_evaluator).keys() & lock.keys())]
    if python.partition("=")[2] not in pyproject_pythons(pyproject):
        problems.append(f"environment.yml asks for {python}")
    return problems


def pyproject_pythons(pyproject: dict[str, Any]) -> list[str]:
    """Return the Python versions that the classifiers name."""
    found = (re.fullmatch(r".*:: Python :: (3\.\d+)", text) for text in pyproject["project"]["classifiers"])
    return [match[1] for match in found if match is not None]


def imported_packages(package: Path) -> set[str]:
    """Return the top-level names of everything outside the standard library that the package imports."""
    names: set[str] = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {package.name}


def test_the_files_agree() -> None:
    assert disagreements(ROOT) == []


@pytest.mark.parametrize("name", FILES)
def test_the_files_name_no_place_of_one_machine(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"file:|index-url|find-links|(?<![\w./])/(opt|home|root|tmp|work)/", text.lower())


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    groups = requirements_of(read_pyproject(ROOT))
    shipped = [groups[""], *(groups[extra] for extra in read_pyproject(ROOT)["project"]["optional-dependencies"])]
    declared = {canonicalize_name(requirement.name) for group in shipped for requirement in group}
    imported = imported_packages(ROOT / "transpose") - {"xtcocotools"}  # built from source, perhaps not installed
    providers = importlib.metadata.packages_distributions()
    found = {name: {canonicalize_name(provider) for provider in providers.get(name, [name])} for name in imported}
    assert {name for name, distributions in found.items() if not declared & distributions} == set()
    # Profiles, and an evaluator that is imported by its name.
    plugins = {"executor-plugin-slurm", "storage-plugin-fs", "storage-plugin-s3"}
    elsewhere = {*(f"snakemake-{plugin}" for plugin in plugins), "hotcoco"}
    assert declared - set().union(*found.values()) == elsewhere


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("pyproject.toml", r'"numpy>=[^"]+"', '"numpy>=99"', "needs numpy>=99, requirements/lock.txt has"),
        ("pyproject.toml", r'"mlflow>=[^"]+"', '"mlflow<3"', "needs mlflow<3, requirements/lock.txt has"),
        ("pyproject.toml", r'"tqdm>=[^"]+"', '"pandera>=0.35"', "needs pandera>=0.35, requirements/lock.txt has none"),
        ("pyproject.toml", r'"mkdocs>=[^"]+"', '"mkdocs>=99"', "needs mkdocs>=99, requirements/docs.txt has"),
        ("pyproject.toml", r'"torch>=[^"]+"', '"torch==2.13.0"', "torch==2.13.0 is exact in pyproject.toml"),
        ("requirements/constraints.txt", r"^torch==\S+", "torch==2.12.0", "constraints.txt has {'torch': '2.12.0'}"),
        ("environment.yml", r"- torch==\S+", "- torch==2.12.0", "2.12.0 in environment.yml"),
        ("environment.yml", r"- click==\S+", "- click==1.0", "1.0 in environment.yml"),
        ("environment.yml", r" +- click==\S+\n", "", "None in environment.yml"),
        ("environment.yml", r"python=3\.11", "python=3.10", "environment.yml asks for python=3.10"),
        ("environment.yml", r"- click==\S+", "- click>=8", "click>=8 is not pinned"),
        ("requirements/lock.txt", r"^numpy==\S+", "numpy==1.26.0", "numpy>=2.0, requirements/lock.txt has 1.26.0"),
        ("requirements/lock.txt", r"^click==\S+", "click==1.0", "click: 1.0 in the lock"),
        ("requirements/lock.txt", r"\\\n +--hash=sha256:\w+", "", "has no hash"),
        ("requirements/lock.txt", r"^click==", "torch==", "torch belongs outside the lock"),
        ("requirements/docs.txt", r"^mkdocs==\S+", "mkdocs==1.0", "requirements/docs.txt has 1.0"),
        ("requirements/torch.txt", r"^torch==\S+", "torch==2.12.0", "torch: 2.12.0 for torch, 2.13.0 elsewhere"),
        ("requirements/torch.txt", r"^sympy==\S+", "sympy==1.0", "sympy: 1.0 for torch"),
        ("requirements/torch.txt", r"^triton==\S+", "triton>=3", "triton>=3"),
        ("requirements/torch-cpu.txt", r"^torch==\S+", "torch==2.12.0+cpu", "torch: 2.12.0+cpu for torch"),
        ("requirements/torch-cpu.txt", r"sha256:\w+", "sha256:0", "torch==2.13.0+cpu has no hash"),
        ("requirements/xtcocotools.txt", r"sha256:\w+", "sha256:0", "xtcocotools==1.14.3 has no hash"),
    ],
)
def test_a_disagreement_is_found(tmp_path: Path, file: str, old: str, new: str, expected: str) -> None:
    for name in FILES:
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, copy)
    edited, count = re.subn(old, new, (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert count >= 1
    (tmp_path / file).write_text(edited, encoding="utf-8")
    assert any(expected in problem for problem in disagreements(tmp_path))
