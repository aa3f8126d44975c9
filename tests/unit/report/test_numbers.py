"""Numbers are written the same way everywhere."""

from __future__ import annotations

import math

import pytest

from counterpoise.report._text import LINE, balance, line_count, text_width, wrap
from counterpoise.report.numbers import NumberFormat, nice_scale, step_decimals


@pytest.mark.parametrize(
    ("number", "value", "written"),
    [
        (NumberFormat(1, suffix=" bn"), 63.65125, "63.7 bn"),
        (NumberFormat(0), 63651.25, "63,651"),
        (NumberFormat(1), -4.81, "\u22124.8"),
        (NumberFormat(2, sign=True), 0.42, "+0.42"),
        (NumberFormat(1, sign=True), -0.04, "0.0"),
        (NumberFormat(1, prefix="$"), -2.0, "\u2212$2.0"),
        (NumberFormat(1), None, "\u2013"),
        (NumberFormat(1), math.nan, "\u2013"),
    ],
)
def test_numbers_are_written(number: NumberFormat, value: float | None, written: str) -> None:
    assert number.text(value) == written


def test_excel_formats_carry_decimals_sign_and_unit() -> None:
    assert NumberFormat(1).excel == "#,##0.0"
    assert NumberFormat(0, suffix="%").excel == '#,##0"%"'
    assert NumberFormat(2, sign=True).excel == "+#,##0.00;-#,##0.00;#,##0.00"


@pytest.mark.parametrize(
    ("low", "high", "bounds"),
    [(0, 63.8, (0, 80, 20)), (-0.42, 0.11, (-0.6, 0.2, 0.2)), (0, 0, (-0.6, 0.6, 0.2)), (2.0, 2.0, (1, 3, 0.5))],
)
def test_axes_are_round(low: float, high: float, bounds: tuple[float, float, float]) -> None:
    bottom, top, step = nice_scale(low, high)
    assert bottom <= low
    assert top >= high
    assert (bottom, top, step) == pytest.approx(bounds)
    assert (top - bottom) / step == pytest.approx(round((top - bottom) / step))


def test_ticks_have_the_decimals_of_their_step() -> None:
    assert [step_decimals(step) for step in (20.0, 2.5, 0.25, 0.1)] == [0, 1, 2, 1]


def test_wrapped_text_fits() -> None:
    words = "Russia's other suppliers answer with lower prices"
    broken = wrap(words, 150)
    assert text_width(broken) <= 150
    assert broken.replace("\n", " ") == words


def test_balanced_text_has_no_more_lines() -> None:
    words = "Full-scale war in Ukraine, oil cap to follow"
    assert line_count(balance(words, 200, 11)) == line_count(wrap(words, 200, 11))
    assert LINE > 12
