"""How a number is written: decimals, sign, unit; the same in a chart, a table, a tooltip and the workbook."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["BILLIONS", "INTEGER", "PERCENT", "POINTS", "NumberFormat", "nice_scale"]

_MINUS = "\u2212"


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """Decimals, sign and affixes of a number that is already in the unit shown.

    Parameters
    ----------
    decimals
        Digits after the point.
    sign
        Write a plus before positive numbers, as for differences.
    prefix, suffix
        Text before and after, such as ``"$"`` or ``" %"``.
    axis_suffix
        Text after the numbers on an axis, where the unit usually stands in the subtitle.
    """

    decimals: int = 1
    sign: bool = False
    prefix: str = ""
    suffix: str = ""
    axis_suffix: str = ""

    def text(self, value: float | None) -> str:
        """Write one number; a gap is an en dash.

        Examples
        --------
        >>> NumberFormat(1, suffix=" bn").text(63651.25)
        '63,651.3 bn'
        >>> NumberFormat(1, sign=True).text(2.0)
        '+2.0'
        """
        if value is None or math.isnan(value):
            return "–"
        body = f"{abs(value):,.{self.decimals}f}"
        zero = not any(digit in "123456789" for digit in body)
        lead = "" if zero else _MINUS if value < 0 else "+" if self.sign else ""
        return f"{lead}{self.prefix}{body}{self.suffix}"

    @property
    def excel(self) -> str:
        """The same format as a number format of Excel."""
        digits = "#,##0" + ("." + "0" * self.decimals if self.decimals else "")
        body = "".join(f'"{part}"' if part else "" for part in (self.prefix,)) + digits
        body += f'"{self.suffix}"' if self.suffix else ""
        return f"+{body};-{body};{body}" if self.sign else body


BILLIONS = NumberFormat(1)
INTEGER = NumberFormat(0)
PERCENT = NumberFormat(1, suffix="%", axis_suffix="%")
POINTS = NumberFormat(1, sign=True)


def nice_scale(low: float, high: float, ticks: int = 5) -> tuple[float, float, float]:
    """Round bounds and step of an axis that holds ``low`` to ``high`` in about ``ticks`` steps.

    Returns
    -------
    Lower bound, upper bound, step; the step is 1, 2, 2.5 or 5 times a power of ten.
    """
    if high <= low:
        low, high = low - (abs(low) or 1.0) * 0.5, high + (abs(high) or 1.0) * 0.5
    raw = (high - low) / ticks
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= raw * (1 - 1e-9))
    bottom = math.floor(low / step + 1e-9) * step
    top = math.ceil(high / step - 1e-9) * step
    return round(bottom, 12), round(top, 12), round(step, 12)


def step_decimals(step: float) -> int:
    """Digits after the point that the ticks of an axis with this step need."""
    for digits in range(7):
        if abs(round(step, digits) - step) < 1e-9 * max(1.0, abs(step)):
            return digits
    return 7
