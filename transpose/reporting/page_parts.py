"""Parts of self-contained HTML pages: templates, the digests of their security policy, data and colours."""

import base64
import hashlib
import json
from typing import Any

import matplotlib
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

_COLOURS = 64


_HEAD = "reporting/templates/head.html"
_STYLE = "reporting/templates/base.css"


def page_environment() -> Environment:
    """Return the environment of all templates, with escaped values; names are relative to the package `transpose`.

    `{% include head %}` is the head of all pages: it shows `title`, `style` and, if defined, the security `policy`.
    """
    environment = Environment(loader=PackageLoader("transpose", "."), autoescape=True, undefined=StrictUndefined)
    environment.globals["head"] = _HEAD
    return environment


def shared_style() -> str:
    """Return the style of all pages: colours of light and dark, text and tables, also on phones and paper."""
    return template_source(page_environment(), _STYLE)


def template_source(environment: Environment, *names: str) -> str:
    """Return template files unrendered, one after another, since a security policy contains their digest."""
    assert environment.loader is not None
    return "".join(environment.loader.get_source(environment, name)[0] for name in names)


def policy_digest(source: str) -> str:
    """Return the digest of a script or style for a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def json_in_html(values: dict[str, Any]) -> str:
    """Return JSON that cannot end the script element around it."""
    text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def page_colours() -> list[str]:
    """Return the colour map of the figures as `#rrggbb`, from low to high."""
    colours = matplotlib.colormaps["plasma"](np.linspace(0, 1, _COLOURS), bytes=True)
    return ["#{:02x}{:02x}{:02x}".format(*colour[:3]) for colour in np.asarray(colours)]
