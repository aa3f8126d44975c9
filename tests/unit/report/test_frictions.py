"""The chapter on frictions: figures that hold together, words that fit the numbers."""

from __future__ import annotations

import pandas as pd
import pytest

from counterpoise.friction import FrictionReport, friction_report
from counterpoise.report.document import Document, Section
from counterpoise.report.frictions import frictions_section


@pytest.fixture(scope="module")
def report() -> FrictionReport:
    return friction_report("IND", "RUS", ["food", "pharmaceuticals", "coal", "gems"])


def attribution(error: float = 0.0) -> pd.DataFrame:
    rows: list[dict[str, str | float]] = []
    for name, trade in (("currency", 2e9), ("freight", 1e9), ("insurance", 0.0), ("all", 3e9)):
        row: dict[str, str | float] = {"obstacle": name, "trade_usd": trade, "gap_usd": 0.5 * trade}
        row |= {"trade_alone_usd": 0.9 * trade, "trade_last_usd": 1.1 * trade, "gap_usd_se": error}
        rows.append(row)
    return pd.DataFrame(rows)


def figure_ids(section: Section) -> list[str]:
    return [figure.id for figure in section.figures]


def test_the_waterfall_ends_at_the_mean_total(report: FrictionReport) -> None:
    (figure,) = [f for f in frictions_section(report).figures if f.kind == "waterfall"]
    last = figure.rows()[-1]
    expected = 100 * sum(report.weights[s] * report.total(s).central for s in report.sectors)
    assert last["obstacle"] == "Together"
    assert last["ave"] == pytest.approx(expected)


def test_every_figure_can_be_drawn_and_stands_in_a_page(report: FrictionReport) -> None:
    section = frictions_section(report, attribution())
    Document(title="t", dek="d", sentences=("One.",), sections=(section,))
    assert all(figure.payload()["wide"]["option"] for figure in section.figures)
    assert figure_ids(section) == [
        f"frictions-{name}"
        for name in ("waterfall", "ranges", "sectors", "legs", "corridors", "days", "payments", "trade", "gap")
    ]
    assert [t.id for t in section.tables] == [
        f"frictions-{name}" for name in ("break-even", "changes", "limits", "events", "claims")
    ]


def test_two_pairs_fit_in_one_page(report: FrictionReport) -> None:
    other = friction_report("USA", "CHN", ["food"])
    Document(
        title="t",
        dek="d",
        sentences=("One.",),
        sections=(frictions_section(report), frictions_section(other, id="other")),
    )


def test_without_containers_no_corridor_is_drawn() -> None:
    section = frictions_section(friction_report("IND", "RUS", ["business_services"]))
    assert figure_ids(section) == ["frictions-waterfall", "frictions-ranges", "frictions-sectors", "frictions-payments"]


def test_beaten_corridors_are_told_apart(report: FrictionReport) -> None:
    (figure,) = [f for f in frictions_section(report).figures if f.id == "frictions-corridors"]
    assert figure.title == "2 of 9 corridors can pay; 7 are beaten on time and on cost"
    able = {row["corridor"] for row in figure.rows() if row["verdict"] == "Can pay for some cargo"}
    assert able == {"Traditional (Suez to St Petersburg)", "INSTC sea and rail"}


def test_sampled_attribution_has_bands(report: FrictionReport) -> None:
    exact, drawn = (
        next(f for f in frictions_section(report, attribution(error)).figures if f.id == "frictions-gap")
        for error in (0.0, 1e8)
    )
    assert (exact.low, drawn.low) == ("", "low")
    assert "sampling error" in drawn.subtitle


def test_the_title_names_the_dearest_obstacle(report: FrictionReport) -> None:
    assert frictions_section(report).title.startswith("Between the order and the goods: time in transit costs most")
