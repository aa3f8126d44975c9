"""Colours of the charts and the page: fixed for countries and sectors, safe for colour-blind readers, light and dark.

A chart never names a colour, it names a *token* such as ``"@RUS"``; the theme says what the token looks like on light
and on dark paper. So India is the same orange in every figure, and one chart serves both papers. Every colour token has
a companion ``<token>/on``: the ink that is legible on top of it.

The five economies that share most figures (India, Russia, United States, China, European Union) are kept at least 25
CIELAB units apart under normal sight, protanopia and deuteranopia, and at least 3:1 against the paper (WCAG 2.2,
1.4.11). The other regions and the sectors are quieter on purpose: they are labelled directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = [
    "DARK",
    "LIGHT",
    "MAIN_REGIONS",
    "REGION_NAMES",
    "SECTOR_NAMES",
    "THEMES",
    "Theme",
    "colour_token",
    "contrast_ratio",
    "display_name",
]

MAIN_REGIONS: tuple[str, ...] = ("IND", "RUS", "USA", "CHN", "EU27")

REGION_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "IND": "India",
        "RUS": "Russia",
        "USA": "United States",
        "CHN": "China",
        "EU27": "European Union",
        "GBR": "United Kingdom",
        "JPN": "Japan",
        "KOR": "South Korea",
        "TUR": "Turkey",
        "BRA": "Brazil",
        "EAEU": "Rest of the Eurasian union",
        "GULF": "Gulf states",
        "ASEAN": "ASEAN",
        "AFRICA": "Africa",
        "CAN": "Canada",
        "MEX": "Mexico",
        "OCEANIA": "Oceania",
        "TWN": "Taiwan",
        "HKG": "Hong Kong and Macao",
        "SASIA": "Rest of South Asia",
        "EFTA": "EFTA",
        "MEAST": "Rest of the Middle East",
        "LATAM": "Rest of Latin America",
        "ROW": "Rest of the world",
    }
)

SECTOR_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "agriculture": "Agriculture",
        "food": "Food",
        "crude_oil_gas": "Crude oil and gas",
        "coal": "Coal",
        "mining": "Mining",
        "refined_oil": "Refined oil",
        "fertilisers": "Fertilisers",
        "pharmaceuticals": "Pharmaceuticals",
        "chemicals": "Chemicals",
        "plastics": "Plastics and rubber",
        "textiles_apparel": "Textiles and apparel",
        "wood_paper": "Wood and paper",
        "nonmetal_minerals": "Stone, glass, cement",
        "gems": "Gems and jewellery",
        "metals": "Metals",
        "machinery": "Machinery",
        "electronics": "Electronics",
        "vehicles": "Vehicles",
        "other_manufacturing": "Other manufacturing",
        "utilities": "Utilities",
        "construction": "Construction",
        "trade_services": "Trade services",
        "transport_services": "Transport services",
        "business_services": "Business services",
        "public_services": "Public services",
    }
)

# token: (on light paper, on dark paper)
_PAPER = {
    "paper": ("#FFFFFF", "#14171A"),
    "panel": ("#F6F5F1", "#1D2226"),
    "ink": ("#1B1E21", "#E8E6E1"),
    "muted": ("#5B6167", "#A3A9AF"),
    "rule": ("#D9D8D3", "#3A4046"),
    "grid": ("#E7E6E2", "#2B3136"),
    "quiet": ("#B9BBBB", "#565D63"),
    "accent": ("#2A5F7C", "#7DB9D8"),
    "up": ("#2A5F7C", "#6FAFD0"),
    "down": ("#B4541A", "#E8935A"),
}

_REGIONS = {
    "IND": ("#DD6B12", "#F69A45"),
    "RUS": ("#17369F", "#6379F2"),
    "USA": ("#239E86", "#5FE8B8"),
    "CHN": ("#7A0C22", "#B5507F"),
    "EU27": ("#8D85D9", "#B5C8FF"),
    "GBR": ("#9F6F8A", "#D6A3BE"),
    "JPN": ("#91555A", "#C8878B"),
    "KOR": ("#5D7698", "#8FAACD"),
    "TUR": ("#AF6C5B", "#E7A08D"),
    "BRA": ("#467748", "#78AA79"),
    "EAEU": ("#5773AF", "#89A7E7"),
    "GULF": ("#997C3C", "#CFB070"),
    "ASEAN": ("#307862", "#66AC94"),
    "AFRICA": ("#996937", "#CF9C6A"),
    "CAN": ("#B96365", "#F29797"),
    "MEX": ("#507357", "#81A688"),
    "OCEANIA": ("#387E98", "#6EB3CE"),
    "TWN": ("#90749D", "#C5A7D3"),
    "HKG": ("#89547D", "#BE86B2"),
    "SASIA": ("#77793F", "#AAAD71"),
    "EFTA": ("#7F79A8", "#B3ADDE"),
    "MEAST": ("#746940", "#A79B71"),
    "LATAM": ("#657E4B", "#97B27D"),
    "ROW": ("#7C8186", "#B0B5BA"),
}

_SECTORS = {
    "agriculture": ("#4C7731", "#86B46D"),
    "food": ("#848538", "#C1C476"),
    "crude_oil_gas": ("#492E1B", "#9E7F6A"),
    "coal": ("#2D2824", "#8B8580"),
    "mining": ("#745F43", "#B19B7C"),
    "refined_oil": ("#7C4523", "#BC7F5C"),
    "fertilisers": ("#519773", "#8FD7B0"),
    "pharmaceuticals": ("#B24981", "#DC7AAA"),
    "chemicals": ("#784D96", "#B589D6"),
    "plastics": ("#8A7BB7", "#C8B9F9"),
    "textiles_apparel": ("#C46668", "#E39A9A"),
    "wood_paper": ("#9C703A", "#DDAE77"),
    "nonmetal_minerals": ("#8A7F6C", "#C8BCA9"),
    "gems": ("#A57E1F", "#E8BE62"),
    "metals": ("#496172", "#839CAF"),
    "machinery": ("#2A669F", "#6199D2"),
    "electronics": ("#2B8CAD", "#70CCEE"),
    "vehicles": ("#4C579B", "#8592DC"),
    "other_manufacturing": ("#7C8799", "#B9C5D8"),
    "utilities": ("#3B7474", "#77B1B0"),
    "construction": ("#9E6D57", "#DEAA93"),
    "trade_services": ("#63908A", "#A0CFC8"),
    "transport_services": ("#296268", "#659DA4"),
    "business_services": ("#607A7B", "#9CB7B9"),
    "public_services": ("#7F8F95", "#B7C7CD"),
}

# Series that are neither a country nor a sector, in order of appearance.
_CATEGORICAL = {
    "q0": ("#2A5F7C", "#7DB9D8"),
    "q1": ("#C2611F", "#F2A065"),
    "q2": ("#5E8F3E", "#A6D185"),
    "q3": ("#8A4B8F", "#CF9AD3"),
    "q4": ("#8C6D1F", "#D9BC6C"),
    "q5": ("#5B6167", "#A3A9AF"),
}

# Less to more of one thing (0 lightest on light paper); below, at and above a centre.
_RAMPS = {
    "seq0": ("#F0F3F4", "#20272C"),
    "seq1": ("#D3E0E6", "#26404E"),
    "seq2": ("#A9C6D3", "#2D5A70"),
    "seq3": ("#77A6BB", "#3C7A97"),
    "seq4": ("#44819C", "#5B9DBC"),
    "seq5": ("#235D79", "#8CC3DD"),
    "seq6": ("#0E3B52", "#C4E4F2"),
    "div0": ("#8A3A0C", "#F6B384"),
    "div1": ("#C67A42", "#C27A43"),
    "div2": ("#EBCBAA", "#6B4629"),
    "div3": ("#F1F0ED", "#2A2F34"),
    "div4": ("#B7D4DD", "#2A5161"),
    "div5": ("#4F93AB", "#4690AB"),
    "div6": ("#12566F", "#93D3EA"),
}

CATEGORICAL_COUNT = len(_CATEGORICAL)


@dataclass(frozen=True, slots=True)
class Theme:
    """What each colour token looks like on one kind of paper.

    Parameters
    ----------
    name
        ``"light"`` or ``"dark"``.
    tokens
        Token (``"@RUS"``, ``"@ink"``, ``"@RUS/on"``) to colour ``#RRGGBB``.
    """

    name: str
    tokens: Mapping[str, str]

    def colour(self, token: str) -> str:
        """Return the colour ``#RRGGBB`` of a token such as ``"@RUS"``."""
        return self.tokens[token]

    def resolve(self, value: Any) -> Any:
        """Replace every colour token inside nested lists and dictionaries; everything else stays as it is."""
        if isinstance(value, str):
            return self.tokens.get(value, value) if value.startswith("@") else value
        if isinstance(value, dict):
            return {key: self.resolve(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
        if isinstance(value, list):
            return [self.resolve(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        return value


def contrast_ratio(first: str, second: str) -> float:
    """Contrast of two colours ``#RRGGBB``, from 1 (none) to 21 (black on white).

    Notes
    -----
    (L1 + 0.05) / (L2 + 0.05) with L the relative luminance, the lighter one above.

    References
    ----------
    Web Content Accessibility Guidelines (WCAG) 2.2, section "contrast ratio".
    """
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def colour_token(name: str) -> str | None:
    """Token of a region or sector given by code or by name (``"RUS"``, ``"Russia"``, ``"gems"``), else None."""
    return _BY_NAME.get(name.casefold())


def display_name(code: str) -> str:
    """Words for a region or sector code (``"EU27"`` gives ``"European Union"``); other text is returned as it is."""
    return REGION_NAMES.get(code) or SECTOR_NAMES.get(code) or code


def _luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _theme(name: str, column: int) -> Theme:
    tables = (_PAPER, _REGIONS, _SECTORS, _CATEGORICAL, _RAMPS)
    colours = {f"@{key}": pair[column] for table in tables for key, pair in table.items()}
    inks = ("#FFFFFF", "#14171A")
    on = {f"{key}/on": max(inks, key=lambda ink: contrast_ratio(ink, colour)) for key, colour in colours.items()}
    return Theme(name, MappingProxyType({**colours, **on}))


_BY_NAME: Mapping[str, str] = MappingProxyType(
    {
        word.casefold(): f"@{code}"
        for names in (REGION_NAMES, SECTOR_NAMES)
        for code, name in names.items()
        for word in (code, name)
    }
)

LIGHT: Theme = _theme("light", 0)
DARK: Theme = _theme("dark", 1)
THEMES: Mapping[str, Theme] = MappingProxyType({"light": LIGHT, "dark": DARK})
