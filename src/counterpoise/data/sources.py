"""Locate the raw public files a world is built from, and fingerprint each one that is used."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from counterpoise.core.errors import SourceMissingError

__all__ = ["ENVIRONMENT_VARIABLE", "FILES", "SourceFile", "Sources", "locate_sources"]

ENVIRONMENT_VARIABLE = "COUNTERPOISE_DATA"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One raw file: where it lies below the sources folder, what it is and under which terms."""

    path: str
    title: str
    vintage: str
    licence: str


FILES: dict[str, SourceFile] = {
    "wiod_flows": SourceFile(
        "data/wiod2011/flows.parquet",
        "World Input-Output Database, release 2013, table 2011 (Timmer et al. 2015)",
        "2011",
        "CC BY 4.0",
    ),
    "wiod_output": SourceFile(
        "data/wiod2011/output.csv", "World Input-Output Database, gross output 2011", "2011", "CC BY 4.0"
    ),
    "baci_2024": SourceFile(
        "data/baci2024_hs17/trade_hs6.parquet",
        "BACI-format bilateral trade by HS6, HS 2017 (CEPII method, Gaulier and Zignago 2010)",
        "2024",
        "Etalab 2.0",
    ),
    "baci_2023": SourceFile(
        "data/baci2023/trade.parquet", "BACI bilateral totals (Gaulier and Zignago 2010)", "2023", "Etalab 2.0"
    ),
    "product_names": SourceFile(
        "data/baci2024_hs17/product_codes_HS02_V202501.csv", "BACI product names, HS 2002", "2025", "Etalab 2.0"
    ),
    "gdp": SourceFile("data/baci2023/countries.csv", "GDP in current USD, World Bank", "2023", "CC BY 4.0"),
    "us_imports": SourceFile(
        "data/us_imports_2024/hs6_by_partner.parquet",
        "US imports for consumption and calculated duties by partner and HS6, US Census Bureau",
        "2024",
        "public domain",
    ),
    "ossa": SourceFile(
        "data/ossa2014/trade.parquet",
        "Applied tariffs and trade of Ossa (2014), American Economic Review 104(12)",
        "2007",
        "numbers cited, file not redistributed",
    ),
    "fgo_gtap": SourceFile(
        "data/elasticities/fgo_gtap.csv",
        "Trade elasticities by GTAP sector, Fontagné, Guimbard and Orefice (2022), J. of International Economics 137",
        "2022",
        "numbers cited",
    ),
    "elasticities": SourceFile(
        "facts/elasticities.csv",
        "Published elasticities, one row per number, with what each measures",
        "2026",
        "numbers cited",
    ),
    "trade_by_year": SourceFile(
        "facts/trade_by_year.csv",
        "India's trade with Russia, the USA and the world by fiscal year, TRADESTAT",
        "2010-2026",
        "public",
    ),
    "crude_unit_values": SourceFile(
        "facts/crude_unit_values.csv",
        "India's crude oil imports by origin, value and tonnes, TRADESTAT",
        "2021-2026",
        "public",
    ),
}
"""Every raw file the builder reads, by the name the loaders use."""


@dataclass(frozen=True, slots=True)
class Sources:
    """A folder that holds the raw files of `FILES`."""

    root: Path

    def path(self, name: str) -> Path:
        """Return the path of a raw file.

        Raises
        ------
        SourceMissingError
            If the file is not there.
        """
        path = self.root / FILES[name].path
        if not path.is_file():
            raise SourceMissingError(
                f"{FILES[name].title}: {FILES[name].path} is not in {self.root}; "
                f"put it there, or name another folder with --sources DIR or {ENVIRONMENT_VARIABLE}"
            )
        return path

    def missing(self) -> tuple[str, ...]:
        """Return the names of the raw files that are not there."""
        return tuple(name for name, file in FILES.items() if not (self.root / file.path).is_file())

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a raw file, hexadecimal."""
        with self.path(name).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()


def locate_sources(argument: Path | str | None = None) -> Sources:
    """Find the folder of raw files: the argument, else the environment, else ``../shared`` beside the repository.

    Parameters
    ----------
    argument
        Folder that holds ``data/`` and ``facts/``.

    Raises
    ------
    SourceMissingError
        If no such folder is found, or files are missing in it; the message lists where was looked and each missing
        file.
    """
    named = str(argument) if argument is not None else os.environ.get(ENVIRONMENT_VARIABLE, "")
    beside = Path(__file__).resolve().parents[3].parent / "shared"
    root = Path(named).expanduser() if named else beside
    if not root.is_dir():
        origin = "the argument" if argument is not None else ENVIRONMENT_VARIABLE if named else "the default"
        raise SourceMissingError(
            f"no folder of raw sources at {root} ({origin}); expected one holding data/ and facts/. "
            f"Name it with --sources DIR or the environment variable {ENVIRONMENT_VARIABLE}"
        )
    sources = Sources(root)
    absent = [f"{FILES[name].path}: {FILES[name].title}" for name in sources.missing()]
    if absent:
        raise SourceMissingError(
            f"{root} lacks {len(absent)} of {len(FILES)} raw files:\n  - "
            + "\n  - ".join(absent)
            + "\nput them there and run again",
            absent,
        )
    return sources
