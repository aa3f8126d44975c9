"""Small balanced input-output tables, written as the OECD and WIOD publish theirs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xlsxwriter

__all__ = [
    "ICIO_INDUSTRIES",
    "Toy",
    "toy",
    "write_icio",
    "write_wiod_2013",
    "write_wiod_2016",
    "write_wiod_2016_workbook",
]

ICIO_INDUSTRIES = {
    2018: ("D01T03", "D05T06", "D10T12"),
    2021: ("01T02", "03", "10T12"),
    2023: ("A01_02", "A03", "C10T12"),
    2025: ("A01", "A02", "C10T12"),
}
_FINAL = ("HFCE", "NPISH", "GGFC", "GFCF", "INVNT", "DPABR")


@dataclass(frozen=True, slots=True)
class Toy:
    """A table in million USD: Z (n, n) over country-industries, Y (n, countries x 6), and payments of each column."""

    countries: tuple[str, ...]
    industries: tuple[str, ...]
    intermediate: np.ndarray
    final: np.ndarray
    taxes: np.ndarray

    @property
    def sellers(self) -> list[tuple[str, str]]:
        return [(c, s) for c in self.countries for s in self.industries]

    @property
    def output(self) -> np.ndarray:
        return self.intermediate.sum(axis=1) + self.final.sum(axis=1)

    @property
    def value_added(self) -> np.ndarray:
        n = len(self.output)
        return self.output - self.intermediate.sum(axis=0) - self.taxes[:n]


def toy(countries: tuple[str, ...], industries: tuple[str, ...], rng: np.random.Generator, uses: int = 6) -> Toy:
    """Draw a table; every twelfth cell is zero, and stocks fall in places."""
    n = len(countries) * len(industries)
    z = np.round(rng.uniform(1, 90, (n, n)) * (rng.random((n, n)) > 1 / 12), 3)
    y = np.round(rng.uniform(50, 900, (n, len(countries) * uses)), 3)
    y[:, 4::uses] = np.round(rng.uniform(-20, 20, (n, len(countries))), 3)
    taxes = np.round(rng.uniform(0.1, 3, n + len(countries) * uses), 3)
    return Toy(countries, industries, z, y, taxes)


def write_icio(path: Path, table: Toy, edition: int) -> None:
    """Write a table as the OECD does: countries in parts have no final demand of their own."""
    buyers = [c for c in table.countries if not c[-1].isdigit()]
    keep = [k for k, c in enumerate(table.countries) if c in buyers for _ in range(1)]
    final = np.concatenate([table.final[:, 6 * k : 6 * k + 6] for k in keep], axis=1)
    total = "OUT" if edition >= 2023 else "TOTAL"
    header = ["V1" if edition >= 2023 else "", *(f"{c}_{s}" for c, s in table.sellers)]
    header += [f"{c}_{f}" for c in buyers for f in _FINAL] + [total]
    output = table.intermediate.sum(axis=1) + final.sum(axis=1)
    n = len(output)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        for k, (c, s) in enumerate(table.sellers):
            writer.writerow([f"{c}_{s}", *table.intermediate[k], *final[k], round(output[k], 6)])
        taxes = table.taxes[: n + final.shape[1]]
        value_added = output - table.intermediate.sum(axis=0) - taxes[:n]
        writer.writerow(["TLS" if edition >= 2023 else "TAXSUB", *taxes, round(taxes.sum(), 6)])
        writer.writerow(["VA" if edition >= 2023 else "VALU", *np.round(value_added, 6), *[0] * final.shape[1], 0])
        writer.writerow(["OUT" if edition >= 2023 else "OUTPUT", *np.round(output, 6), *final.sum(axis=0), 0])


_NAMES_2013 = ("Final consumption expenditure by households", "Final consumption expenditure by non-profit "
               "organisations serving households (NPISH)", "Final consumption expenditure by government",
               "Gross fixed capital formation", "Changes in inventories and valuables")  # fmt: skip


def write_wiod_2013(path: Path, table: Toy, year: int) -> None:
    """Write a workbook of the release of 2013: 35 industries in the real file, as many as the table has here."""
    codes = [str(s) for s in table.industries]
    c_codes = [f"c{k}" for k in range(1, len(codes))] + ["c35"]
    uses = ["c37", "c38", "c39", "c41", "c42"]
    columns = [
        (code, f"Industry {code}", c, cc) for c in table.countries for code, cc in zip(codes, c_codes, strict=True)
    ]
    columns += [("", name, c, cc) for c in table.countries for name, cc in zip(_NAMES_2013, uses, strict=True)]
    columns += [("", "Total output", "TOT", "c60")]
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("WIOT_" + str(year))
    meta = (f"World Input-Output Table for {year}", "", "(industry-by-industry)", "(in millions of US$)")
    for row, text in enumerate(("World Input-Output Table (current prices), " + str(year), "", *meta[2:])):
        sheet.write(row, 0, text)
    for k, column in enumerate(columns):
        for row, text in enumerate(column):
            sheet.write(row + 2, k + 4, text)
    n, at = len(table.output), 6
    y = table.final
    for k, column in enumerate(columns[:n]):
        for j, text in enumerate(column):
            sheet.write(at, j, text)
        for j, value in enumerate([*table.intermediate[k], *y[k], table.output[k]]):
            sheet.write_number(at, j + 4, float(value))
        at += 1
    zero, ends = np.zeros(y.shape[1]), table.intermediate.sum(axis=0)
    taxes = np.concatenate([table.taxes[:n], table.taxes[n : n + y.shape[1]]])
    rows = [
        ("r60", "Total intermediate consumption", np.concatenate([ends, y.sum(axis=0)])),
        ("r99", "Taxes less subsidies on products", taxes),
        ("r61", "Cif/ fob adjustments on exports", np.concatenate([np.zeros(n), zero])),
        ("r62", "Direct purchases abroad by residents", np.concatenate([np.zeros(n), zero + 1.5])),
        ("r63", "Purchases on the domestic territory by non-residents", np.concatenate([np.zeros(n), zero - 1.5])),
        ("r64", "Value added at basic prices", np.concatenate([table.value_added, zero])),
        ("r65", "International Transport Margins", np.concatenate([np.zeros(n), zero])),
        ("r69", "Output at basic prices", np.concatenate([table.output, zero])),
    ]
    for code, name, values in rows:
        for j, text in enumerate(("", name, "TOT", code)):
            sheet.write(at, j, text)
        for j, value in enumerate(values):
            sheet.write_number(at, j + 4, float(value))
        at += 1
    book.close()


def write_wiod_2016(path: Path, table: Toy, year: int) -> None:
    """Write a table of the release of 2016: the CSV that R writes, or the Stata file, by the suffix."""
    numbers = [*range(1, len(table.industries) + 1)]
    stem = "v" if path.suffix == ".dta" else ""
    columns = [f"{stem}{c}{k}" for c in table.countries for k in numbers]
    columns += [f"{stem}{c}{k}" for c in table.countries for k in range(57, 62)]
    n = len(table.output)
    rows: list[list[object]] = []
    for k, (c, s) in enumerate(table.sellers):
        values = [*table.intermediate[k], *table.final[k], table.output[k]]
        rows.append([s, f"Industry {s}", c, numbers[k % len(numbers)], year, *values])
    zeros = [0.0] * table.final.shape[1]
    for number, code, values in (
        (65, "II_fob", [*table.intermediate.sum(axis=0), *table.final.sum(axis=0)]),
        (66, "TXSP", list(table.taxes[: n + len(zeros)])),
        (67, "EXP_adj", [0.0] * n + zeros), (68, "PURR", [0.0] * n + zeros), (69, "PURNR", [0.0] * n + zeros),
        (70, "VA", [*table.value_added, *zeros]), (71, "IntTTM", [0.0] * n + zeros),
        (73, "GO", [*table.output, *zeros]),
    ):  # fmt: skip
        rows.append([code, code, "TOT", number, year, *values, 0.0])
    frame = pd.DataFrame(
        rows, columns=["IndustryCode", "IndustryDescription", "Country", "RNr", "Year", *columns, stem + "TOT"]
    )
    if path.suffix == ".dta":
        frame.to_stata(path, write_index=False, version=117)
    else:
        frame.to_csv(path, index=False, lineterminator="\n")


def write_wiod_2016_workbook(path: Path, table: Toy, year: int) -> None:
    """Write a workbook of the release of 2016: four header rows of code, name, country and number, as many columns."""
    finals = (("CONS_h", "c57"), ("CONS_np", "c58"), ("CONS_g", "c59"), ("GFCF", "c60"), ("INVEN", "c61"))
    columns = [(s, f"Industry {s}", c, f"c{k}") for c in table.countries for k, s in enumerate(table.industries, 1)]
    columns += [(code, code, c, number) for c in table.countries for code, number in finals]
    columns += [("GO", "Total output", "TOT", "c62")]
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet(str(year))
    for row, text in enumerate((f"Intercountry Input-Output Table {year}", "(industry-by-industry)")):
        sheet.write(row, 0, text)
    for row, text in enumerate(("IndustryCode", "IndustryDescription", "Country", "RNr")):
        sheet.write(row + 2, 3, text)
    for k, column in enumerate(columns):
        for row, text in enumerate(column):
            sheet.write(row + 2, k + 4, text)
    zeros = np.zeros(table.final.shape[1])
    n = len(table.output)
    rows = [
        (
            s,
            f"Industry {s}",
            c,
            f"r{k % len(table.industries) + 1}",
            [*table.intermediate[k], *table.final[k], table.output[k]],
        )
        for k, (c, s) in enumerate(table.sellers)
    ]
    rows += [
        (code, code, "TOT", number, [*values, 0.0])
        for code, number, values in (
            ("II_fob", "r65", [*table.intermediate.sum(axis=0), *table.final.sum(axis=0)]),
            ("TXSP", "r66", table.taxes[: n + len(zeros)]),
            ("VA", "r70", [*table.value_added, *zeros]),
            ("GO", "r73", [*table.output, *zeros]),
        )
    ]
    for at, (*labels, values) in enumerate(rows, start=6):
        for j, text in enumerate(labels):
            sheet.write(at, j, text)
        for j, value in enumerate(values):
            sheet.write_number(at, j + 4, float(value))
    book.close()
