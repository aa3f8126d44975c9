"""The chapter on products: what it draws, what it leaves out, and the files it becomes."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from counterpoise.core.errors import InputError
from counterpoise.data.concordance import high_priority_tiers
from counterpoise.data.product_tables import EMBEDDED, product_tables
from counterpoise.measure.products import ProductStudy, product_opportunities
from counterpoise.report.products import product_label, products_section, write_products
from counterpoise.scenario.opportunities import duties_by_product


@pytest.fixture(scope="module")
def study() -> ProductStudy:
    tables = product_tables("IND", "RUS", third="USA", store=EMBEDDED)
    duties = duties_by_product("USA", "IND", tables.lines["hs"].tolist())
    return product_opportunities(tables, duties=duties.table, rank="unrealised")


def test_areas_add_up_to_what_is_recommended(study: ProductStudy) -> None:
    areas, bubbles, bars = products_section(study).figures
    assert [f.kind for f in (areas, bubbles, bars)] == ["treemap", "scatter", "bar"]
    assert areas.data["usd"].sum() == pytest.approx(study.table["unrealised_usd"].sum() / 1e6)
    assert set(bubbles.data["unrealised"]) == set(study.table["unrealised_usd"].head(40) / 1e6)
    wide = bars.data.pivot(index="product", columns="what", values="usd")
    room, pushed = (wide[c] for c in sorted(wide.columns))
    assert (room <= pushed).all()


def test_what_is_missing_stands_under_the_chart_and_the_table(study: ProductStudy) -> None:
    section = products_section(study)
    for words in (section.figures[0].note, section.tables[0].note):
        assert "Russia has published no imports or exports" in words


def test_dual_use_goods_are_only_in_the_excluded_block(study: ProductStudy) -> None:
    ranking, excluded = products_section(study, top=None).tables
    listed = set(high_priority_tiers())
    assert not set(ranking.frame["hs"]) & listed
    assert set(excluded.frame["hs"]) <= listed
    assert excluded.frame["tier"].notna().all()
    labels = set(products_section(study).figures[1].data["product"])
    assert not labels & {product_label(hs, n) for hs, n in study.listed[["hs", "name"]].itertuples(index=False)}


def test_the_workbook_holds_every_product_with_its_leading_zero(study: ProductStudy, tmp_path: Path) -> None:
    path = write_products(study, tmp_path / "products.xlsx", {"version": "test"})
    book = openpyxl.load_workbook(path)
    sheet = next(book[name] for name in book.sheetnames if "The products with most" in name)
    cells = [row[0] for row in sheet.iter_rows(min_row=1, values_only=True) if row[0] and str(row[0]).isdigit()]
    codes = [cell for cell in cells if isinstance(cell, str)]
    assert len(codes) == len(cells)
    assert codes == study.table["hs"].tolist()
    assert any(code.startswith("0") for code in codes)


def test_the_page_asks_no_other_host(study: ProductStudy, tmp_path: Path) -> None:
    text = write_products(study, tmp_path / "products.html", {"version": "test"}).read_text(encoding="utf-8")
    assert "Content-Security-Policy" in text
    assert "Excluded: dual-use goods" in text
    with pytest.raises(InputError, match="names no document"):
        write_products(study, tmp_path / "products.pdf", {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["products.html"]


def test_a_pair_with_nothing_unrealised_has_no_chart(study: ProductStudy) -> None:
    from dataclasses import replace

    none = replace(study, table=study.table.assign(unrealised_usd=0.0, pushed_out_usd=0.0), listed=pd.DataFrame())
    assert products_section(none).figures == ()
