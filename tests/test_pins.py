"""pyproject.toml, the lock and environment.yml hold the same pins, and the package imports nothing beyond them."""

import ast
import importlib.metadata
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FILES = (
    "pyproject.toml",
    "environment.yml",
    "requirements/lock.txt",
    "requirements/docs.txt",
    "requirements/xtcocotools.txt",
)
LOCKED_EXTRAS = ("detector", "test", "lint", "setup")


def pin(text: str) -> tuple[str, str]:
    """(name, version) of an exact requirement. Raises ValueError when it is not exact."""
    requirement = Requirement(text)
    (specifier,) = requirement.specifier or [None]
    if specifier is None or specifier.operator != "==" or "*" in specifier.version:
        raise ValueError(f"{text} is not pinned")
    return canonicalize_name(requirement.name), specifier.version


def hashed_pins(path: Path) -> dict[str, str]:
    """Pins of a pip requirements file. Raises ValueError when one is not exact or has no hash."""
    text = re.sub(r"^\s*#.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pins = {}
    for line in filter(None, (line.strip() for line in text.replace("\\\n", " ").splitlines())):
        requirement, *hashes = re.split(r"\s+--hash=", line)
        if not hashes or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes):
            raise ValueError(f"{requirement} has no hash")
        name, version = pin(requirement)
        pins[name] = version
    return pins


def differences(left: dict[str, str], right: dict[str, str], left_file: str, right_file: str) -> list[str]:
    """One line for each name whose version is not the same on both sides."""
    return [
        f"{name}: {left.get(name, 'absent')} in {left_file}, {right.get(name, 'absent')} in {right_file}"
        for name in sorted({*left, *right})
        if left.get(name) != right.get(name)
    ]


def drift(root: Path) -> list[str]:
    """One line for each disagreement between the files that pin versions."""
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    environment = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))
    extras = pyproject["project"]["optional-dependencies"]
    python, _, conda_pip = environment["dependencies"]
    try:
        direct = dict(map(pin, pyproject["project"]["dependencies"]))
        for extra in LOCKED_EXTRAS:
            direct.update(map(pin, extras[extra]))
        for extra in extras.keys() - set(LOCKED_EXTRAS):
            dict(map(pin, extras[extra]))
        lock = hashed_pins(root / "requirements/lock.txt")
        second_opinion = hashed_pins(root / "requirements/xtcocotools.txt")
        conda = dict(map(pin, conda_pip["pip"]))
        docs = dict(map(pin, pyproject["dependency-groups"]["docs"]))
        docs_lock = hashed_pins(root / "requirements/docs.txt")
    except ValueError as error:
        return [str(error)]
    torch = {"torch": direct.pop("torch")}
    described = {entry["name"]: entry["version"] for entry in pyproject["tool"]["uv"]["dependency-metadata"]}
    problems = differences(torch, described, "pyproject.toml's dependencies", "its dependency-metadata")
    problems += differences(
        direct, {name: lock[name] for name in direct if name in lock}, "pyproject.toml", "requirements/lock.txt"
    )
    problems += differences(
        docs, {name: docs_lock[name] for name in docs if name in docs_lock}, "pyproject.toml", "requirements/docs.txt"
    )
    problems += differences(lock | torch, conda, "requirements/lock.txt", "environment.yml")
    problems += [f"{name} belongs outside the lock" for name in sorted((torch | second_opinion).keys() & lock.keys())]
    if python.partition("=")[2] not in ("3.11", "3.12"):
        problems.append(f"environment.yml asks for {python}")
    return problems


def imported_packages(package: Path) -> set[str]:
    """Top-level names of everything outside the standard library that the package imports."""
    names: set[str] = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {package.name}


def test_the_files_agree() -> None:
    assert drift(ROOT) == []


@pytest.mark.parametrize("name", FILES)
def test_the_files_name_no_place_of_one_machine(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"file:|index-url|find-links|(?<![\w./])/(opt|home|root|tmp|work)/", text.lower())


def test_everything_imported_is_a_direct_dependency() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = {canonicalize_name(Requirement(text).name) for text in pyproject["project"]["dependencies"]}
    providers = importlib.metadata.packages_distributions()
    undeclared = {
        name
        # Optional, so perhaps not installed.
        for name in imported_packages(ROOT / "transpose") - {"xtcocotools", "onnxruntime"}
        if not declared & {canonicalize_name(provider) for provider in providers.get(name, [])}
    }
    assert undeclared == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("pyproject.toml", r'"numpy==[^"]+"', '"numpy==2.0.0"', "numpy: 2.0.0 in pyproject.toml"),
        ("pyproject.toml", r'"numpy==[^"]+"', '"numpy>=2"', "numpy>=2 is not pinned"),
        ("pyproject.toml", r'"numpy==[^"]+"', '"numpy"', "numpy is not pinned"),
        ("pyproject.toml", r'"numpy==[^"]+"', '"numpy==2.*"', "numpy==2.* is not pinned"),
        ("pyproject.toml", r'"tqdm==[^"]+"', '"pandera==0.35.0"', "pandera: 0.35.0 in pyproject.toml, absent in"),
        ("pyproject.toml", r'"ruff==[^"]+"', '"ruff==0.1.0"', "ruff: 0.1.0 in pyproject.toml"),
        ("pyproject.toml", r'"torch==[^"]+"', '"torch==2.12.0"', "torch: 2.12.0 in"),
        ("pyproject.toml", r'(plugin-slurm)==[^"]+', r"\1>=2", "snakemake-executor-plugin-slurm>=2 is not pinned"),
        ("environment.yml", r"- torch==\S+", "- torch==2.12.0", "2.12.0 in environment.yml"),
        ("environment.yml", r"- click==\S+", "- click==1.0", "1.0 in environment.yml"),
        ("environment.yml", r" +- click==\S+\n", "", "click: "),
        ("environment.yml", r"python=3\.11", "python=3.13", "environment.yml asks for python=3.13"),
        ("environment.yml", r"- click==\S+", "- click>=8", "click>=8 is not pinned"),
        ("requirements/lock.txt", r"^numpy==\S+", "numpy==2.0.0", "2.0.0 in requirements/lock.txt"),
        ("requirements/lock.txt", r"^click==\S+", "click==1.0", "click: 1.0 in requirements/lock.txt"),
        ("requirements/lock.txt", r"\\\n +--hash=sha256:\w+", "", "has no hash"),
        ("requirements/lock.txt", r"^click==", "torch==", "torch belongs outside the lock"),
        (
            "requirements/docs.txt",
            r"^mkdocs==\S+",
            "mkdocs==1.0",
            "1.0 in requirements/docs.txt",
        ),
        ("requirements/xtcocotools.txt", r"sha256:\w+", "sha256:0", "xtcocotools==1.14.3 has no hash"),
    ],
)
def test_drift_is_noticed(tmp_path: Path, file: str, old: str, new: str, expected: str) -> None:
    for name in FILES:
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, copy)
    edited, count = re.subn(old, new, (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert count >= 1
    (tmp_path / file).write_text(edited, encoding="utf-8")
    assert any(expected in problem for problem in drift(tmp_path))
