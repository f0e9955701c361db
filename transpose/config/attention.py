"""How much of the explanations is measured, and on whom."""

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from transpose.config.base import Settings
from transpose.config.training import Probability


class AttentionMeasures(Settings):
    """What attention is measured on, and how finely; each measure draws its persons by one seed, the fewer first."""

    seed: NonNegativeInt = Field(default=0, description="Draws persons and random cells.")
    reach: PositiveFloat = Field(
        default=0.1,
        description="A keypoint's neighbourhood: its cell, and cells within this share of the crop width.",
    )
    fractions: tuple[Probability, ...] = Field(
        default=(0.02, 0.05, 0.1, 0.2, 0.4, 0.7),
        min_length=1,
        description="Shares of the grid's cells that deletion masks and insertion leaves; rising.",
    )
    knockout_fraction: Probability = Field(
        default=0.1, description="Share of the cells that knock-outs mask; one of `fractions`."
    )
    knockout_persons: PositiveInt = Field(default=200, description="Persons whose cells are knocked out.")
    curve_persons: PositiveInt = Field(default=40, description="Persons with deletion and insertion curves.")
    occlusion_persons: PositiveInt = Field(
        default=24, description="Persons in whose images something is hidden, which takes whole forward passes."
    )
    patch: PositiveInt = Field(
        default=16, description="Side of the patches of the occlusion test in crop pixels; a multiple of the stride."
    )

    @model_validator(mode="after")
    def _knocks_out_a_share_of_the_curves(self) -> "AttentionMeasures":
        if list(self.fractions) != sorted(set(self.fractions)):
            raise ValueError("fractions must rise")
        if self.knockout_fraction not in self.fractions:
            raise ValueError("knockout_fraction must be one of fractions")
        return self
