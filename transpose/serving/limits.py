"""Limits of the server."""

from dataclasses import dataclass

from transpose.data.image_bytes import MAX_PIXELS


@dataclass(frozen=True)
class Limits:
    """What a server accepts. Its memory is bounded by these: it decodes one image at a time."""

    bytes: int = 25_000_000
    """Largest body of a request."""
    pixels: int = MAX_PIXELS
    """Largest height times width of an image, by its header."""
    boxes: int = 16
    """Most boxes of a request."""
    seconds: float = 30.0
    """Longest time that a body may take to arrive, and an answer to be ready."""
    queue: int = 16
    """Most requests that wait while another one runs."""
