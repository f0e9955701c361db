"""Attention in one byte a value: multiples of uniform attention on a logarithmic scale, deflated.

A value `v` (multiples of uniform attention, 1 / L each) becomes the code `1 + floor(steps * log2(v / floor))`, and 0
where it is below the scale's floor. A code stands for the geometric middle of its step, so that the relative error of
a restored value is at most `2 ** (1 / (2 * steps)) - 1`; of what code 0 stands for only "below the floor" is known.
"""

import zlib
from dataclasses import dataclass

import numpy as np

_LARGEST_CODE = 255
_DEFLATE_LEVEL = 6


@dataclass(frozen=True)
class LogScale:
    """A logarithmic scale of one byte: `steps` codes to each doubling, starting at `floor` multiples of uniform."""

    floor: float
    steps: int

    @property
    def largest_error(self) -> float:
        """Largest relative error of a restored value that is not below the floor: |restored - value| / value."""
        return 2 ** (1 / (2 * self.steps)) - 1

    def quantise(self, multiples: np.ndarray) -> np.ndarray:
        """Codes uint8 of attention [...] in multiples of uniform attention.

        The last code, 255, stands for all that is larger; attention of L cells cannot be more than L multiples, which
        is far below it.
        """
        with np.errstate(divide="ignore"):
            steps = np.floor(np.log2(multiples / np.float32(self.floor)) * self.steps)
        return np.clip(steps + 1, 0, _LARGEST_CODE).astype(np.uint8)

    def restore(self, codes: np.ndarray) -> np.ndarray:
        """Multiples of uniform attention [...] float64 of codes [...]; 0 where they are below the floor."""
        middles = self.floor * 2 ** ((codes.astype(np.float64) - 0.5) / self.steps)
        return np.where(codes > 0, middles, 0.0)


def pack(codes: np.ndarray) -> bytes:
    """Codes [...] as a zlib stream of bytes, in the order of their axes."""
    return zlib.compress(codes.tobytes(), _DEFLATE_LEVEL)


def unpack(packed: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Codes uint8 of `shape` that `pack` packed."""
    return np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(shape)
