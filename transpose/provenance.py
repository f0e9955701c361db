"""Fingerprint of the code that made a result."""

import subprocess
from functools import cache, cached_property
from pathlib import Path

from transpose.config.code_version import CodeVersion
from transpose.files import digest_of_value, sha256_of_file
from transpose.syntax import ModuleSyntax, SyntaxReader

PACKAGE = Path(__file__).parent

TRAINING = "transpose.training.run"
"""The entry module of the code that trained weights depend on."""

CACHE = Path(".snakemake/code.json")
"""Parsed modules, kept by the workflow for its steps."""

PLUMBING = frozenset(
    {
        "transpose.config.forecast",  # assumptions of `transpose plan`
        "transpose.config.code_version",
        "transpose.config.tracking",  # where a study is logged
        "transpose.disk",  # messages of disk errors
        "transpose.errors",  # messages of bad input
        "transpose.files",  # atomic writing and digests
        "transpose.inference.overlay",  # drawing
        "transpose.machine",  # versions in reports
        "transpose.memory",  # messages of full memory
        "transpose.provenance",
        "transpose.study.destination",  # where a study is logged
        "transpose.study.layout",  # paths of results
        "transpose.syntax",
    }
)
"""Modules that no number depends on. Their imports still count."""


class PackageCode:
    """Source files of a package, each as it was when first read."""

    def __init__(self, package: Path = PACKAGE, cache: Path | None = None) -> None:
        """Read nothing yet.

        Args:
            package: folder of the package, named like the package.
            cache: file that keeps parsed modules for the next process; None for no cache.
        """
        self._package = package
        self._reader = SyntaxReader(cache)

    def digest(self, entry: str) -> str:
        """Compute 16 hexadecimal digits of the SHA-256 over the code and data files that `entry` depends on.

        Docstrings, comments, layout and libraries do not count.

        Args:
            entry: dotted name of a module.

        Raises:
            ValueError: the module does not exist, so its changes would go unnoticed.
        """
        modules = {name: self._syntax(name) for name in self.closure(entry)}
        self._reader.save()
        code = {name: module.digest for name, module in modules.items()}
        data = {path for name, module in modules.items() for path in self._data_files(name, module)}
        return digest_of_value([code, {path: sha256_of_file(self._package / path) for path in data}])[:16]

    def closure(self, entry: str) -> frozenset[str]:
        """Return `entry` and all modules that it imports, directly or not, without `PLUMBING`.

        A package's `__init__` counts if a name is imported from it, not if only a module of the package is imported.

        Raises:
            ValueError: the module does not exist.
        """
        return self._reachable(entry) - PLUMBING

    def source_files(self, entry: str) -> list[Path]:
        """Return the files that `entry` needs to be imported, relative to the folder that contains the package.

        Raises:
            ValueError: the module does not exist.
        """
        modules: set[str] = set()
        open_ends = {entry}
        while open_ends:
            modules |= frozenset().union(*map(self._reachable, open_ends))
            # Importing a module runs the `__init__` of its packages.
            open_ends = {module.rpartition(".")[0] for module in modules} - modules - {""}
        return sorted(self._modules[name].relative_to(self._package.parent) for name in modules)

    def _reachable(self, entry: str) -> frozenset[str]:
        if entry not in self._modules:
            raise ValueError(f"no such module: {entry}")
        seen: set[str] = set()
        open_ends = {entry}
        while open_ends:
            module = open_ends.pop()
            seen.add(module)
            open_ends |= {self._owner(name) for name in self._syntax(module).imports} - seen
        return frozenset(seen)

    @cached_property
    def _modules(self) -> dict[str, Path]:
        """File by dotted name; a package's `__init__` has the name of the package."""
        paths = {path.relative_to(self._package.parent): path for path in self._package.rglob("*.py")}
        return {
            ".".join((place.parent if place.name == "__init__.py" else place.with_suffix("")).parts): path
            for place, path in paths.items()
        }

    def _syntax(self, module: str) -> ModuleSyntax:
        return self._reader.read(module, self._modules[module])

    def _owner(self, name: str) -> str:
        """Return the module that an imported name refers to or is defined in."""
        parts = name.split(".")
        prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next(prefix for prefix in prefixes if prefix in self._modules)

    def _data_files(self, module: str, syntax: ModuleSyntax) -> set[str]:
        """Files named in the module, relative to its folder or the package; returned relative to the package."""
        folders = (self._modules[module].parent, self._package)
        paths = (folder / name for folder in folders for name in syntax.file_names)
        return {path.relative_to(self._package).as_posix() for path in paths if path.is_file()}


@cache
def training_code() -> str:
    """Digest of the code that trained weights depend on, as it was at the first call in this process."""
    return PackageCode().digest(TRAINING)


def code_version(entry: str) -> CodeVersion:
    """Return the commit, and the digest of the code that a result of the module `entry` depends on.

    Raises:
        ValueError: the module does not exist.
    """
    cache = CACHE if CACHE.parent.is_dir() else None
    return CodeVersion.model_validate(git_state() | {"fingerprint": PackageCode(cache=cache).digest(entry)})


def git_state() -> dict[str, str | bool | None]:
    """Commit of the package's checkout and whether it has uncommitted changes; None outside a checkout."""
    # An installed package may be in a folder of another repository, which does not track it.
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:
        return {"git": None, "dirty": None}
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"git": commit, "dirty": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(["git", "-C", str(PACKAGE), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
