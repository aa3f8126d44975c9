"""The colours are legible on their paper and apart for colour-blind readers."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from counterpoise.report.theme import (
    DARK,
    LIGHT,
    MAIN_REGIONS,
    REGION_NAMES,
    SECTOR_NAMES,
    Theme,
    colour_token,
    contrast_ratio,
    display_name,
)

BOTH = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)

# Machado, Oliveira and Fernandes (2009), IEEE TVCG 15(6), 1291-1298, severity 1.0, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
# Linear sRGB to CIE XYZ, D65 (IEC 61966-2-1).
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(colour: str, vision: str) -> npt.NDArray[np.float64]:
    channels = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    scaled = TO_XYZ @ np.clip(VISION[vision] @ linear, 0, 1) / WHITE
    f = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_contrast_of_black_and_white_is_21() -> None:
    assert contrast_ratio("#000000", "#FFFFFF") == pytest.approx(21.0)


def test_contrast_matches_a_published_pair() -> None:
    # WebAIM: #777777 on white is 4.48.
    assert contrast_ratio("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)


@BOTH
@pytest.mark.parametrize("vision", VISION)
def test_main_regions_are_apart(theme: Theme, vision: str) -> None:
    seen = {code: lab(theme.colour(f"@{code}"), vision) for code in MAIN_REGIONS}
    for first, second in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[first] - seen[second]) >= 25, (first, second)


@BOTH
@pytest.mark.parametrize("code", [*REGION_NAMES, *SECTOR_NAMES])
def test_regions_and_sectors_stand_out_from_the_paper(theme: Theme, code: str) -> None:
    # WCAG 2.2, 1.4.11: graphics at least 3:1.
    assert contrast_ratio(theme.colour(f"@{code}"), theme.colour("@paper")) >= 3.0


@BOTH
@pytest.mark.parametrize("token", ["@ink", "@muted", "@accent"])
def test_text_is_legible(theme: Theme, token: str) -> None:
    for paper in ("@paper", "@panel"):
        assert contrast_ratio(theme.colour(token), theme.colour(paper)) >= 4.5


@BOTH
def test_every_colour_has_a_legible_ink_on_it(theme: Theme) -> None:
    for token in [key for key in theme.tokens if key.endswith("/on")]:
        assert contrast_ratio(theme.colour(token), theme.colour(token.removesuffix("/on"))) >= 4.2, token


def test_both_themes_have_the_same_tokens() -> None:
    assert set(LIGHT.tokens) == set(DARK.tokens)


def test_names_and_codes_lead_to_the_same_token() -> None:
    assert colour_token("Russia") == colour_token("RUS") == "@RUS"
    assert colour_token("Gems and jewellery") == "@gems"
    assert colour_token("Atlantis") is None
    assert display_name("EU27") == "European Union"
    assert display_name("Atlantis") == "Atlantis"


def test_resolve_replaces_tokens_and_nothing_else() -> None:
    option = {"color": "@RUS", "items": ["@ink", "plain", 3, None], "name": "@nobody"}
    assert LIGHT.resolve(option) == {
        "color": LIGHT.colour("@RUS"),
        "items": [LIGHT.colour("@ink"), "plain", 3, None],
        "name": "@nobody",
    }
