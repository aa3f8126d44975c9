"""The workbook holds every number of the report, with units, formats and sources."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from counterpoise.report import write_workbook
from tests.unit.report.samples import SAMPLES, document, line


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_workbook(document(), tmp_path_factory.mktemp("book") / "report.xlsx")


def test_there_is_a_sheet_per_figure_and_table(path: Path) -> None:
    names = openpyxl.load_workbook(path).sheetnames
    assert names[0] == "Contents"
    assert names[-1] == "Manifest"
    assert len(names) == len(SAMPLES) + 3
    assert all(len(name) <= 31 for name in names)


def test_contents_link_to_every_sheet(path: Path) -> None:
    book = openpyxl.load_workbook(path)
    links = [cell.hyperlink.location for row in book["Contents"].iter_rows() for cell in row if cell.hyperlink]
    assert {str(link).split("!")[0].strip("'") for link in links} == set(book.sheetnames) - {"Contents"}


def test_numbers_are_numbers_with_formats_and_units(path: Path) -> None:
    book = openpyxl.load_workbook(path)
    sheet = book[book.sheetnames[1]]
    assert sheet["A1"].value == line().title
    assert sheet["C5"].value == "Usd bn (USD bn)"
    assert sheet["C6"].value == 9.9
    assert sheet["C6"].number_format == "#,##0.0"
    assert sheet.freeze_panes == "B6"


def test_the_source_stands_under_the_numbers(path: Path) -> None:
    book = openpyxl.load_workbook(path)
    column = [row[0].value for row in book[book.sheetnames[1]].iter_rows()]
    assert column[-1] == "Source: TRADESTAT, June 2026"


def test_the_same_report_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    assert write_workbook(document(), tmp_path / "again.xlsx").read_bytes() == path.read_bytes()
