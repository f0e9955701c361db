"""Settings of the attention analyses."""

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from transpose.config.base import Settings
from transpose.config.training import Probability


class AttentionMeasures(Settings):
    """Samples and parameters of the attention analyses; smaller samples of persons are part of larger ones."""

    seed: NonNegativeInt = Field(default=0, description="Seed for drawing persons and random cells.")
    reach: PositiveFloat = Field(
        default=0.1,
        description="Radius of a keypoint's neighbourhood of cells, as a share of the crop width.",
    )
    fractions: tuple[Probability, ...] = Field(
        default=(0.02, 0.05, 0.1, 0.2, 0.4, 0.7),
        min_length=1,
        description="Shares of the grid's cells that deletion masks and insertion keeps, in ascending order.",
    )
    knockout_fraction: Probability = Field(
        default=0.1, description="Share of the cells that the knock-out test masks; one of `fractions`."
    )
    knockout_persons: PositiveInt = Field(default=200, description="Persons of the knock-out test.")
    curve_persons: PositiveInt = Field(default=40, description="Persons with deletion and insertion curves.")
    occlusion_persons: PositiveInt = Field(
        default=24, description="Persons of the occlusion test, which takes whole forward passes."
    )
    patch: PositiveInt = Field(
        default=16, description="Side of the occlusion test's patches in crop pixels; a multiple of the stride."
    )

    @model_validator(mode="after")
    def _knocks_out_a_share_of_the_curves(self) -> "AttentionMeasures":
        if list(self.fractions) != sorted(set(self.fractions)):
            raise ValueError("fractions must be in ascending order, without duplicates")
        if self.knockout_fraction not in self.fractions:
            raise ValueError("knockout_fraction must be one of fractions")
        return self
