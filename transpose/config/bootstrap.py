"""Settings of bootstrap intervals."""

from pydantic import NonNegativeInt, PositiveInt

from transpose.config.base import Settings


class Bootstrap(Settings):
    """Resampling over images."""

    samples: PositiveInt
    seed: NonNegativeInt
    level: float = 0.95
