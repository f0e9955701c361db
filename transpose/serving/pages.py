"""The server's pages: self-contained HTML, which loads nothing from other servers."""

from typing import Any

from transpose.reporting.page_parts import (
    json_in_html,
    page_colours,
    page_environment,
    policy_digest,
    shared_style,
    template_source,
)
from transpose.serving.answers import ModelCard
from transpose.serving.limits import Limits

HEADERS = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"}
"""Of every page, in addition to the security policy in it."""

_STRONGEST = 32.0
"""Upper end of the colour scale, in multiples of uniform attention."""


def pose_page(card: ModelCard, limits: Limits) -> str:
    """Return the page on which an image is dropped and its poses and dependency areas are shown."""
    own = page_environment()
    script = template_source(own, "serving/templates/page.js")
    style = _viewer_style() + template_source(own, "serving/templates/page.css")
    index = {name: position for position, name in enumerate(card.keypoints)}
    data = {
        "keypoints": card.keypoints,
        "limbs": [[index[a], index[b]] for a, b in card.limbs],
        "threshold": card.keypoint_threshold,
        "explains": card.encoder_layers > 0,
        "megabytes": limits.bytes / 1e6,
        "boxes": limits.boxes,
        "colours": page_colours(),
        "strongest": _STRONGEST,
    }
    return own.get_template("serving/templates/page.html").render(
        card=card,
        strongest=f"{_STRONGEST:g}",
        script=script,
        style=style,
        script_digest=policy_digest(script),
        style_digest=policy_digest(style),
        data=json_in_html(data),
    )


def api_page(description: dict[str, Any]) -> str:
    """Return a page with the operations of an OpenAPI description."""
    environment = page_environment()
    style = _viewer_style() + template_source(environment, "serving/templates/page.css")
    return environment.get_template("serving/templates/docs.html").render(
        api=description, style=style, style_digest=policy_digest(style)
    )


def _viewer_style() -> str:
    return shared_style() + template_source(page_environment(), "reporting/templates/viewer.css")
