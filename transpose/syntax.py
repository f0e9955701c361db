"""Read from a module's syntax tree: a digest without docstrings and layout, its imports, and the files it names."""

import ast
import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import resolve_name
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from transpose.errors import InputError
from transpose.files import sha256_of_file, write_text

_FILE_NAME = re.compile(r"[\w-]+(/[\w-]+)*\.[a-z0-9]+")
_LEFT_OUT = frozenset({"ctx", "kind", "type_comment"})
"""Node fields that are redundant or have no effect."""


class ModuleSyntax(BaseModel):
    """Digest, imports and file names of a module."""

    model_config = ConfigDict(frozen=True)

    source_sha256: str
    """Of the whole file."""
    digest: str
    """SHA-256 of the tree without docstrings, comments and layout, the same under every version of Python."""
    imports: tuple[str, ...]
    """Dotted names within the package, from anywhere in the module; `from a import b` gives `a.b`."""
    file_names: tuple[str, ...]
    """String constants that look like the relative path of a file."""


class SyntaxReader:
    """Parses each module once and caches the result in a file for the next process."""

    def __init__(self, cache: Path | None = None) -> None:
        """Load the cache of an earlier process.

        Args:
            cache: file of the cache; None for none. If it is broken or cannot be written, modules are parsed again.
        """
        self._cache = cache
        # The cache is valid only for the same version of this file.
        self._reader_sha256 = sha256_of_file(Path(__file__))
        self._kept = _load(cache, self._reader_sha256)
        self._read: dict[str, ModuleSyntax] = {}
        self._is_saved = True

    def read(self, module: str, path: Path) -> ModuleSyntax:
        """Return the syntax of a module, as its file was when first read.

        Args:
            module: its dotted name.

        Raises:
            SyntaxError: the file is not Python.
        """
        if module not in self._read:
            source = path.read_bytes()
            syntax = self._kept.get(module)
            if syntax is None or syntax.source_sha256 != hashlib.sha256(source).hexdigest():
                syntax = _parse(source, module, path)
                self._is_saved = False
            self._read[module] = syntax
        return self._read[module]

    def save(self) -> None:
        """Write the cache if a module was parsed since it was loaded."""
        if self._cache is None or self._is_saved:
            return
        self._is_saved = True
        content = _CacheFile(reader_sha256=self._reader_sha256, modules=self._kept | self._read)
        with suppress(InputError, OSError):
            write_text(self._cache, content.model_dump_json())


class _CacheFile(BaseModel):
    reader_sha256: str
    modules: dict[str, ModuleSyntax]


def _load(cache: Path | None, reader: str) -> dict[str, ModuleSyntax]:
    if cache is not None:
        with suppress(OSError, ValidationError):
            content = _CacheFile.model_validate_json(cache.read_bytes())
            if content.reader_sha256 == reader:
                return content.modules
    return {}


def _parse(source: bytes, module: str, path: Path) -> ModuleSyntax:
    tree = ast.parse(source, str(path))
    nodes = list(_nodes(tree))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    imports = {name for node in nodes for name in _imported_names(node, package)}
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    root = module.partition(".")[0]
    return ModuleSyntax(
        source_sha256=hashlib.sha256(source).hexdigest(),
        digest=hashlib.sha256(_canonical(tree).encode()).hexdigest(),
        imports=tuple(sorted(name for name in imports if name.partition(".")[0] == root)),
        file_names=tuple(sorted(text for text in texts if _FILE_NAME.fullmatch(text))),
    )


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree without docstrings."""
    if not _is_prose(tree):
        yield tree
        for child in ast.iter_child_nodes(tree):
            yield from _nodes(child)


def _imported_names(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = resolve_name("." * node.level + (node.module or ""), package)
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _canonical(value: object) -> str:
    """Return a tree, list or constant as text, without the empty fields that some versions of Python add."""
    if isinstance(value, ast.JoinedStr):
        return f"JoinedStr[{','.join(map(_canonical, _pieces(value)))}]"
    if isinstance(value, ast.AST):
        fields = [(name, child) for name, child in ast.iter_fields(value) if name not in _LEFT_OUT]
        parts = [f"{name}={_canonical(child)}" for name, child in fields if child is not None and child != []]
        return f"{type(value).__name__}({','.join(parts)})"
    if isinstance(value, list):
        return f"[{','.join(_canonical(item) for item in value if not _is_prose(item))}]"
    # Unlike repr, it does not depend on which characters a version of Python can print.
    return ascii(value)


def _pieces(text: ast.JoinedStr) -> Iterator[object]:
    """Yield literal text and replacement fields of an f-string; Python versions divide the text differently."""
    for is_literal, nodes in groupby(text.values, key=lambda node: isinstance(node, ast.Constant)):
        if is_literal:
            literal = "".join(str(node.value) for node in nodes if isinstance(node, ast.Constant))
            yield from filter(None, [literal])
        else:
            yield from nodes


def _is_prose(node: object) -> bool:
    """Whether a node is a docstring or another string expression statement."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
