"""A recipe: everything that decides the weights of one variant, apart from seed and data."""

from transpose.config.base import Name, Settings
from transpose.config.training import Training
from transpose.config.variant import Variant


class Recipe(Settings):
    """A variant and how it is trained, resolved from the study: the record that stands beside the weights."""

    name: Name
    variant: Variant
    training: Training
