"""MkDocs hook: pages that are kept elsewhere in the repository, and links that work there and on the site."""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File  # pyright: ignore[reportMissingImports] -- of .venv-docs

ROOT = Path(__file__).parents[1]
PAGES = {
    "config/README.md": "configuration.md",
    "results/README.md": "results.md",
    "requirements/README.md": "pins.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""File of the repository -> its page on the site."""

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]+)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of PAGES to the site."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links at pages of the site; links to other files of the repository become their text."""
    sources = {target: source for source, target in PAGES.items()}
    folder = posixpath.dirname(sources.get(page.file.src_uri, f"docs/{page.file.src_uri}"))
    return LINK.sub(lambda link: _link(link, folder, page.file.src_uri), markdown)


def _link(link: re.Match[str], folder: str, page: str) -> str:
    text, target, anchor = link.group(1), posixpath.normpath(posixpath.join(folder, link.group(2))), link.group(3) or ""
    if not (ROOT / target).exists():
        return link.group(0)  # MkDocs reports it
    found = PAGES.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
    if found is None:
        return text
    return f"[{text}]({posixpath.relpath(found, posixpath.dirname(page) or '.')}{anchor})"
