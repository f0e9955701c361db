"""Links of HTML pages."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Links(HTMLParser):
    """Anchors of a page, and all that it links to or shows."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the anchors and links of a tag."""
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.targets.append(value)


def broken_links(folder: Path) -> list[str]:
    """Links of the pages in a folder that are absolute, or whose file or anchor does not exist."""
    pages = {path.name: _read(path) for path in sorted(folder.glob("*.html"))}
    broken = []
    for name, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            file = unquote(parts.path) or name
            if parts.scheme == "data":
                continue
            linked = pages.get(file)
            lost = parts.fragment and (linked is None or parts.fragment not in linked.anchors)
            if parts.scheme or file.startswith("/") or not (folder / file).is_file() or lost:
                broken.append(f"{name}: {target}")
    return broken


def _read(path: Path) -> _Links:
    links = _Links()
    links.feed(path.read_text(encoding="utf-8"))
    return links
