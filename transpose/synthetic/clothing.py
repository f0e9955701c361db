"""Clothes and appearance of a person: cut, colours and patterns, defined by position on the body's surface."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from transpose.synthetic.body import Layer, Mark
from transpose.synthetic.scenery import sample_weave
from transpose.synthetic.texture import DENIM, any_colour, any_hair, any_skin, noise

_WAIST_HEIGHT, _NECK_HEIGHT, _HAT_HEIGHT, _SOLE_HEIGHT = 0.10, 0.665, 0.87, -0.80
_EYE_X, _EYE_HEIGHT, _FACE_FRONT = 0.031, 0.843, -0.09
# Cloth texture: edge of a tile in metres and in pixels.
_TILE_SPAN, _TILE_SIDE = 0.6, 128


@dataclass(frozen=True)
class Outfit:
    """Clothes, hair and skin of a person; lengths in metres, sleeve and trouser ends as positions on arm and leg.

    `glasses`: colour [3] of the rims, None without glasses. `weave`: tile [T, T, 3] of factors on the colour, around 1,
    None for smooth cloth.
    """

    sleeve_end: float
    trouser_end: float
    skirt_length: float | None
    neckline: float
    has_v_neck: bool
    waist: float
    has_zip: bool
    has_gloves: bool
    has_hat: bool
    has_beard: bool
    is_bald: bool
    has_long_hair: bool
    top: np.ndarray
    top_accent: np.ndarray
    bottom: np.ndarray
    shoes: np.ndarray
    hat: np.ndarray
    skin: np.ndarray
    hair: np.ndarray
    pattern: Callable[[np.ndarray, "Outfit"], np.ndarray]
    pattern_frequency: float
    looseness: tuple[float, float]
    wrinkle_depth: float
    wrinkle_waves: np.ndarray
    wrinkle_phases: np.ndarray
    glasses: np.ndarray | None = None
    has_dark_glasses: bool = False
    weave: np.ndarray | None = None

    @cached_property
    def has_visible_scalp_hair(self) -> bool:
        """Whether the scalp has hair or a hat."""
        return self.has_hat or not self.is_bald


def sample_outfit(rng: np.random.Generator, is_female: bool) -> Outfit:
    """Draw an outfit."""
    patterns, shares = zip(*_PATTERNS, strict=True)
    jeans = rng.random() < 0.35
    return Outfit(
        sleeve_end=float(rng.choice([0.0, 0.28, 0.45, 0.98], p=[0.1, 0.35, 0.1, 0.45])),
        trouser_end=float(rng.choice([0.25, 0.45, 0.95, 1.05], p=[0.08, 0.17, 0.45, 0.3])),
        skirt_length=rng.uniform(0.2, 0.8) if is_female and rng.random() < 0.25 else None,
        neckline=rng.uniform(0, 0.05),
        has_v_neck=rng.random() < 0.3,
        waist=rng.uniform(0.02, 0.10),
        has_zip=rng.random() < 0.2,
        has_gloves=rng.random() < 0.05,
        has_hat=rng.random() < 0.18,
        has_beard=not is_female and rng.random() < 0.35,
        is_bald=not is_female and rng.random() < 0.12,
        has_long_hair=rng.random() < (0.55 if is_female else 0.08),
        top=any_colour(rng, (0, 0.85), (0.06, 0.97)),
        top_accent=any_colour(rng, (0, 0.85), (0.06, 0.97)),
        bottom=DENIM * rng.uniform(0.4, 1.4) if jeans else any_colour(rng, (0, 0.6), (0.05, 0.75)),
        shoes=any_colour(rng, (0, 0.5), (0.03, 0.95)),
        hat=any_colour(rng),
        skin=any_skin(rng),
        hair=any_hair(rng),
        pattern=patterns[rng.choice(len(patterns), p=shares)],
        pattern_frequency=rng.uniform(25, 90),
        looseness=(rng.uniform(0.004, 0.022), rng.uniform(0.003, 0.016)),
        wrinkle_depth=rng.uniform(0, 1),
        wrinkle_waves=(rng.normal(size=(5, 3)) * rng.uniform(18, 45)).astype(np.float32),
        wrinkle_phases=rng.uniform(0, 2 * np.pi, 5).astype(np.float32),
    )


def varied_outfit(outfit: Outfit, rng: np.random.Generator) -> Outfit:
    """Return the outfit with cloth texture, often darker and less saturated, and sometimes with glasses."""
    weave = sample_weave(_TILE_SIDE, rng) if rng.random() < 0.5 else _cloudy_weave(rng)
    fading = rng.random() < 0.4
    top, bottom = ((_subdued(colour, rng) if fading else colour) for colour in (outfit.top, outfit.bottom))
    glasses = any_colour(rng, (0, 0.4), (0.02, 0.5)) if rng.random() < 0.2 else None
    return replace(
        outfit, weave=weave, top=top, bottom=bottom, glasses=glasses, has_dark_glasses=bool(rng.random() < 0.4)
    )


def _cloudy_weave(rng: np.random.Generator) -> np.ndarray:
    contrast, coarsest = rng.choice([0.0, 0.3, 0.9]), int(rng.integers(2, 24))
    clouds = noise((_TILE_SIDE, _TILE_SIDE), rng, coarsest, 3)
    return (1 + np.float32(contrast) * (clouds - np.float32(0.5)))[..., None].repeat(3, axis=-1)


def _subdued(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grey = colour.mean()
    return (grey + (colour - grey) * rng.uniform(0, 0.5)) * np.float32(rng.uniform(0.25, 1))


def wrinkles(outfit: Outfit, surface: np.ndarray) -> np.ndarray:
    """Compute the height [N] of the folds, -1..1, at surface marks [N, 12]."""
    return np.sin(surface[:, : Mark.Z + 1] @ outfit.wrinkle_waves.T + outfit.wrinkle_phases).mean(axis=1)


def is_top(outfit: Outfit, surface: np.ndarray) -> np.ndarray:
    """Return [N] bool: the top covers the point with surface marks [N, 12]."""
    x, y, z, arm, leg = (surface[:, mark] for mark in (Mark.X, Mark.Y, Mark.Z, Mark.ARM, Mark.LEG))
    slope = 1.0 if outfit.has_v_neck else 0.4
    collar = _NECK_HEIGHT - outfit.neckline - np.clip(-y - 0.02, 0, 0.1) * slope
    collar += np.clip(np.abs(x) - 0.03, 0, 0.2) * 0.35
    torso = (arm < 0) & (leg < 0.06) & (z < collar) & (z > _WAIST_HEIGHT + outfit.waist)
    return torso | ((arm >= 0) & (arm < outfit.sleeve_end))


def is_bottom(outfit: Outfit, surface: np.ndarray) -> np.ndarray:
    """Return [N] bool: trousers, or the upper part of a skirt, cover the point with surface marks [N, 12]."""
    z, arm, leg = (surface[:, mark] for mark in (Mark.Z, Mark.ARM, Mark.LEG))
    below_waist = z <= _WAIST_HEIGHT + outfit.waist
    if outfit.skirt_length is not None:
        return (arm < 0) & below_waist & (leg < 0.35)
    legs = (leg >= 0) & (leg < outfit.trouser_end)
    return (legs | ((arm < 0) & (leg < 0.2) & (z > -0.2))) & below_waist


def thickness(outfit: Outfit, surface: np.ndarray, layers: np.ndarray) -> np.ndarray:
    """Compute the distance [V] in metres of clothes and hair from the body, along its normals."""
    z, arm, leg = (surface[:, mark] for mark in (Mark.Z, Mark.ARM, Mark.LEG))
    folds = outfit.wrinkle_depth * wrinkles(outfit, surface)
    for_top, for_bottom = outfit.looseness
    hem = np.clip(0.35 - z, 0, 0.3) * 1.5 * (leg < 0.2)
    top = for_top * (1 + 0.9 * folds + hem)
    bottom = for_bottom * (1 + 0.8 * folds + 0.8 * np.clip(leg, 0, 1))
    skin = layers == Layer.SKIN
    height = np.where(layers == Layer.TIGHTS, np.where((z > 0.17) | (arm > -0.5), top, bottom), 0)
    height = np.where(layers == Layer.SKIRT, 0.01 * (1 + 1.2 * folds), height)
    height = np.where(skin & (surface[:, Mark.FOOT] > 0), 0.006, height)
    if outfit.has_visible_scalp_hair:
        height = np.where(skin & (surface[:, Mark.SCALP] > 0), 0.016, height)
    return height.astype(np.float32)


def colours(outfit: Outfit, surface: np.ndarray, layers: np.ndarray) -> np.ndarray:
    """Compute unlit colours [N, 3] RGB in 0..1 at surface marks [N, 12] of layers [N]."""
    x, y, z = surface[:, Mark.X], surface[:, Mark.Y], surface[:, Mark.Z]
    skin = layers == Layer.SKIN
    colour = outfit.skin * (1 + 0.025 * np.sin(surface[:, :3] @ np.array([31, 23, 37], np.float32)))[:, None]
    bottom, top = is_bottom(outfit, surface), is_top(outfit, surface)
    colour[bottom] = outfit.bottom * (1 + 0.06 * np.sin(z[bottom] * 60))[:, None]
    accent = top & outfit.pattern(surface, outfit)
    colour[top] = outfit.top
    colour[accent] = outfit.top_accent
    if outfit.weave is not None:
        cloth = layers >= Layer.TIGHTS
        colour[cloth] *= _woven(outfit.weave, surface[cloth])
    if outfit.has_zip:
        colour[top & (np.abs(x) < 0.012) & (y < 0)] *= 0.45
    colour[layers == Layer.SKIRT] = outfit.bottom
    foot = surface[:, Mark.FOOT] > 0.5
    colour[foot] = outfit.shoes
    colour[foot & (z < _SOLE_HEIGHT)] = 0.68
    if outfit.has_gloves:
        colour[surface[:, Mark.HAND] > 0.5] = outfit.shoes
    _paint_head(colour, outfit, surface, layers, skin)
    return np.clip(colour, 0.01, 1)


def _paint_head(colour: np.ndarray, outfit: Outfit, surface: np.ndarray, layers: np.ndarray, skin: np.ndarray) -> None:
    scalp = skin & (surface[:, Mark.SCALP] > 0.5)
    strands = (1 + 0.15 * np.sin(surface[:, :3] @ np.array([300, 80, 40], np.float32)))[:, None]
    if not outfit.is_bald:
        colour[scalp] = outfit.hair * strands[scalp]
    if outfit.has_hat:
        colour[scalp & (surface[:, Mark.Z] > _HAT_HEIGHT)] = outfit.hat
    if outfit.has_beard:
        _blend(colour, skin & (surface[:, Mark.BEARD] > 0.5), outfit.hair, 0.65)
    colour[skin & (surface[:, Mark.LIPS] > 0.45)] *= np.array([0.92, 0.58, 0.62], np.float32)
    _blend(colour, skin & (surface[:, Mark.BROW] > 0.4), outfit.hair * 0.7, 0.75)
    eyes = (layers == Layer.LEFT_EYE) | (layers == Layer.RIGHT_EYE)
    colour[eyes] = np.array([0.92, 0.9, 0.88], np.float32)
    colour[eyes & (surface[:, Mark.IRIS] > 0.4)] = np.array([0.18, 0.14, 0.12], np.float32)
    if outfit.glasses is not None:
        from_eye = np.hypot(np.abs(surface[:, Mark.X]) - _EYE_X, surface[:, Mark.Z] - _EYE_HEIGHT)
        hidden = (
            (from_eye < 0.026) & (outfit.has_dark_glasses | (from_eye > 0.019)) & (surface[:, Mark.Y] < _FACE_FRONT)
        )
        colour[hidden & (layers <= Layer.RIGHT_EYE)] = outfit.glasses
    long_hair = layers == Layer.HAIR
    colour[long_hair] = outfit.hair * strands[long_hair]


def _woven(weave: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """Factors [N, 3] on the colour of cloth at surface marks [N, 12]: the tile, repeated over front and sides."""
    across = surface[:, Mark.X] + surface[:, Mark.Y]
    column, row = (
        np.mod(along * np.float32(_TILE_SIDE / _TILE_SPAN), _TILE_SIDE).astype(np.int64) % _TILE_SIDE
        for along in (across, surface[:, Mark.Z])
    )
    return weave[row, column]


def _blend(colour: np.ndarray, where: np.ndarray, paint: np.ndarray, share: float) -> None:
    colour[where] = (1 - share) * colour[where] + share * paint


def _plain(surface: np.ndarray, outfit: Outfit) -> np.ndarray:
    return np.zeros(len(surface), bool)


def _stripes(surface: np.ndarray, outfit: Outfit) -> np.ndarray:
    return np.sin(surface[:, Mark.Z] * outfit.pattern_frequency) > 0


def _pinstripes(surface: np.ndarray, outfit: Outfit) -> np.ndarray:
    return np.sin(surface[:, Mark.X] * outfit.pattern_frequency * 1.3) > 0.3


def _plaid(surface: np.ndarray, outfit: Outfit) -> np.ndarray:
    waves = np.sin(surface[:, [Mark.X, Mark.Z]] * outfit.pattern_frequency) > 0.2
    return waves[:, 0] ^ waves[:, 1]


def _dots(surface: np.ndarray, outfit: Outfit) -> np.ndarray:
    return np.sin(surface[:, :3] * outfit.pattern_frequency * 1.5 + 0.7).prod(axis=1) > 0.35


def _camouflage(surface: np.ndarray, outfit: Outfit) -> np.ndarray:
    return np.sin(surface[:, :3] @ outfit.wrinkle_waves[:3].T).sum(axis=1) > 0.4


def _logo(surface: np.ndarray, outfit: Outfit) -> np.ndarray:
    x, y, z = surface[:, Mark.X], surface[:, Mark.Y], surface[:, Mark.Z]
    on_chest = (np.abs(x) < 0.09) & (np.abs(z - 0.46) < 0.06) & (y < 0)
    return on_chest & (np.sin(x * 150) + np.sin(z * 170 + 2) > -0.4)


def _halves(surface: np.ndarray, outfit: Outfit) -> np.ndarray:
    return surface[:, Mark.Z] > 0.42


_PATTERNS: tuple[tuple[Callable[[np.ndarray, Outfit], np.ndarray], float], ...] = (
    (_plain, 0.42),
    (_stripes, 0.12),
    (_pinstripes, 0.06),
    (_plaid, 0.09),
    (_dots, 0.06),
    (_camouflage, 0.09),
    (_logo, 0.10),
    (_halves, 0.06),
)
