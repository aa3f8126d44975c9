"""India's Export Import Data Bank, TRADESTAT: fiscal years from April to March, HTML pages.

A page is one table: products of a country, countries of a product, or one pair over years. Columns are fiscal years
(``2023 - 2024``, in part-years ``2024-2025(Apr-Sep)``) with shares and growth between them, which are left out, as are
the totals. Exports are FOB, imports CIF. The page says in which unit: US $ million, rupees crore or lakhs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from counterpoise.core.errors import DataError, InputError, raise_all
from counterpoise.data.codes import country_of_name, hs_code
from counterpoise.data.readers.peek import Peek
from counterpoise.data.readers.provenance import SourceInfo
from counterpoise.data.readers.reading import Reading

__all__ = ["INFO", "KEY", "LAYOUTS", "fiscal_year", "read", "recognise"]

LAYOUTS = ("HTML pages of products, of countries, and of a pair over years",)
"""What is read."""

INFO = SourceInfo(
    "tradestat",
    "Export Import Data Bank, TRADESTAT (Department of Commerce, Government of India)",
    "free with attribution",
    "exports FOB, imports CIF",
    "value in current USD or rupees, see the currency column",
)

KEY = ("flow", "partner", "hs", "fiscal_year", "currency", "measure")
"""No two rows of the tidy table share these."""
_FISCAL = re.compile(r"((?:19|20)\d\d)\s*-\s*((?:19|20)?\d\d)\s*(?:\(\s*([A-Za-z]{3})\s*-\s*([A-Za-z]{3})[^)]*\))?")
_UNITS: tuple[tuple[str, str, float], ...] = (
    (r"US\s*\$\s*Million", "USD", 1e6),
    (r"US\s*\$\s*(?:Thousand|000)", "USD", 1e3),
    (r"(?:₹|Rs\.?|INR|Rupees)\s*(?:in\s*)?Crore", "INR", 1e7),
    (r"(?:₹|Rs\.?|INR|Rupees)\s*(?:in\s*)?Lakh", "INR", 1e5),
)
_TOTALS = re.compile(r"^(?:india'?s?\s+)?(?:grand\s+)?total\b", re.IGNORECASE)
_COLUMNS = {
    "flow": "string", "partner": "string", "hs": "string", "fiscal_year": "string", "first_month": "string",
    "last_month": "string", "currency": "string", "measure": "string", "value": "double",
}  # fmt: skip
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def fiscal_year(text: str) -> tuple[str, str, str] | None:
    """Return a fiscal year with its first and last month; None where the text is none.

    Raises
    ------
    DataError
        If the second year does not follow the first.

    Examples
    --------
    >>> fiscal_year("2023 - 2024"), fiscal_year("2024-2025(Apr-Sep)")
    (('2023-24', '2023-04', '2024-03'), ('2024-25', '2024-04', '2024-09'))
    >>> fiscal_year("%Share") is None
    True
    """
    found = _FISCAL.search(text)
    if found is None:
        return None
    first, second = int(found[1]), int(found[2][-2:])
    if (first + 1) % 100 != second:
        raise DataError(f"'{text.strip()}' is no fiscal year; expected two years that follow each other, as 2023-2024")
    begin, end = (found[3] or "Apr").title(), (found[4] or "Mar").title()
    if begin not in _MONTHS or end not in _MONTHS:
        raise DataError(f"'{text.strip()}' names no month; expected as 2024-2025(Apr-Sep)")
    months = [_MONTHS.index(m) + 1 for m in (begin, end)]
    dates = [f"{first if m >= 4 else first + 1}-{m:02d}" for m in months]
    return f"{first}-{second:02d}", dates[0], dates[1]


@dataclass(slots=True)
class _Row:
    """A row of a table: its line in the file and its cells."""

    line: int
    cells: list[str] = field(default_factory=list[str])


class _Tables(HTMLParser):
    """Collect the text of a page and the rows of its tables."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[_Row] = []
        self.words: list[str] = []
        self._row: _Row | None = None
        self._in_cell = False
        self.open_tables = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a row or a cell."""
        if tag == "table":
            self.open_tables += 1
        elif tag == "tr":
            self._row = _Row(self.getpos()[0])
            self.rows.append(self._row)
        elif tag in ("td", "th") and self._row is not None:
            self._row.cells.append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        """Close a table, a row or a cell."""
        if tag == "table":
            self.open_tables -= 1
        elif tag in ("td", "th"):
            self._in_cell = False
        elif tag == "tr":
            self._row, self._in_cell = None, False

    def handle_data(self, data: str) -> None:
        """Add text to the cell and to the page."""
        text = " ".join(data.split())
        if not text:
            return
        self.words.append(text)
        if self._in_cell and self._row is not None:
            self._row.cells[-1] = f"{self._row.cells[-1]} {text}".strip()


def recognise(peek: Peek) -> str | None:
    """Say which page a file is, with what shows it; None where it is not of TRADESTAT."""
    start = peek.text[:60_000]
    if peek.kind != "text" or "<t" not in start.lower():
        return None
    words = re.search(r"Export\s*Import\s*Data\s*Bank|TRADE\s*STAT|tradestat|EIDB|Department of Commerce", start)
    if words and _FISCAL.search(start):
        return f"TRADESTAT page: '{words[0]}' and fiscal years, as {_FISCAL.search(start)[0]}"  # pyright: ignore[reportOptionalSubscript]
    return None


def read(peek: Peek, reading: Reading, *, flow: str | None = None, partner: str | None = None) -> None:
    """Read a page: flow, partner, hs, fiscal_year, first_month, last_month, currency, measure, value.

    ``hs`` is empty where the page is of all commodities, ``partner`` is ``WLD`` where it is of all countries.

    Parameters
    ----------
    flow
        ``export`` or ``import``, where the page does not say.
    partner
        Country of the page, where the page does not say.

    Raises
    ------
    DataError
        If the page is cut off, or says neither flow nor unit, or a row is at fault.
    """
    text = peek.path.read_text(encoding=peek.encoding)
    page = _Tables()
    page.feed(text)
    page.close()
    if page.open_tables > 0 or "</html" not in text.lower():
        raise DataError(
            f"{peek.name}, line {text.count(chr(10)) + 1}: the page ends before its table or its last tag; it is cut "
            "off, save it again"
        )
    words = " ".join(page.words)
    side = flow or _flow(peek.name, words)
    currency, factor = _unit(peek.name, words)
    rows, problems = _rows(page, reading, words, partner)
    raise_all(DataError, f"{peek.name} cannot be used", problems)
    tidy = [
        (side, who, hs, year[0], year[1], year[2], currency, "value", value * factor) for who, hs, year, value in rows
    ]
    if not tidy:
        raise DataError(f"{peek.name} holds no row with a number under a fiscal year")
    reading.rows(tidy, _COLUMNS)
    reading.finish(KEY)
    years = sorted({row[3] for row in tidy})
    reading.vintage(f"fiscal years {years[0]} to {years[-1]}")
    reading.unit(f"value in current {currency}")
    reading.note("fiscal years run from April to March; rows_read counts rows of the page, rows_kept its numbers")
    dated = re.search(r"(?:Dated|Report Date)\s*:?\s*([0-9]{1,2}[/ -][0-9A-Za-z]{1,3}[/ -][0-9]{2,4})", words)
    if dated:
        reading.note(f"page dated {dated[1]}")


def _flow(name: str, words: str) -> str:
    head = re.sub(r"Export\s*Import\s*Data\s*Bank", "", words, flags=re.IGNORECASE)[:3000]
    found = {
        w for w, p in (("export", r"\bexports?\b"), ("import", r"\bimports?\b")) if re.search(p, head, re.IGNORECASE)
    }
    if len(found) != 1:
        raise DataError(
            f"{name} does not say whether it is of exports or imports; say it with flow=export or flow=import"
        )
    return found.pop()


def _unit(name: str, words: str) -> tuple[str, float]:
    stated = re.search(r"Values?\s+in\s+(.{0,40})", words, re.IGNORECASE)
    for pattern, currency, factor in _UNITS:
        if re.search(pattern, stated[1] if stated else words, re.IGNORECASE):
            return currency, factor
    raise DataError(f"{name} does not say its unit; expected 'Values in US $ Million', '₹ Crore' or 'Rs. Lakhs'")


_Found = tuple[str, str, tuple[str, str, str], float]


def _rows(page: _Tables, reading: Reading, words: str, partner: str | None) -> tuple[list[_Found], list[str]]:
    """Return the numbers of the page, and what is at fault."""
    years: dict[int, tuple[str, str, str]] = {}
    labels: dict[int, str] = {}
    problems: list[str] = []
    out: list[_Found] = []
    whole = _country(partner, words)
    product = re.search(r"HS\s*CODE\s*:?\s*(\d{2,8})", words, re.IGNORECASE)
    for row in page.rows:
        found = {k: y for k, cell in enumerate(row.cells) if (y := fiscal_year(cell)) and "growth" not in cell.lower()}
        if found and not years:
            years = found
            labels = {k: cell.lower() for k, cell in enumerate(row.cells) if k not in found}
            continue
        if not years or len(row.cells) <= min(years):
            continue
        reading.count(1)
        name = next((c for k, c in enumerate(row.cells) if k < min(years) and re.search("[A-Za-z]", c)), "")
        if _TOTALS.match(name):
            reading.drop("a total of the page", 1)
            continue
        if name.lower().startswith(("%", "growth", "share", "quantity")) or re.search(r"\bgrowth\b|%", name.lower()):
            reading.drop("a share, a growth rate or a quantity", 1)
            continue
        code = next((row.cells[k] for k, text in labels.items() if "hs" in text and k < len(row.cells)), "")
        who = next((row.cells[k] for k, text in labels.items() if "country" in text and k < len(row.cells)), "")
        try:
            hs = hs_code(code) if code else (hs_code(product[1]) if product else "")
            label = country_of_name(who).iso3 if who else whole
        except InputError as error:
            problems.append(f"line {row.line}: {error}")
            continue
        for k, year in years.items():
            cell = row.cells[k].replace(",", "").strip() if k < len(row.cells) else ""
            if cell in ("", "-", "--", "NA"):
                reading.drop("no number for the year", 1)
                continue
            if re.fullmatch(r"\d+(?:\.\d*)?|\.\d+", cell) is None:
                problems.append(f"line {row.line}, column {year[0]}: '{cell}'; expected a number of zero or more")
                continue
            out.append((label, hs, year, float(cell)))
    if not years:
        problems.append("no row of the page has fiscal years; expected a header as 2023-2024")
    return out, problems


def _country(partner: str | None, words: str) -> str:
    """Return the country of the page: what the caller says, what the page says, else the world."""
    if partner is not None:
        return country_of_name(partner).iso3
    found = re.search(
        r"Country\s*(?:Name)?\s*:\s*([A-Z][A-Z .,'&-]+?)(?=\s+(?:HS|Commodity|Values|Dated|S\.?No|Report)|$)", words
    )
    return country_of_name(found[1]).iso3 if found else "WLD"
