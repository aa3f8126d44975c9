"""How wide a text will be, and where to break it, without a browser at hand.

The widths are those of DejaVu Sans, the widest of the sans serifs that systems commonly show: a label that fits in it
fits in Segoe UI, San Francisco, Roboto and Arial too.
"""

from __future__ import annotations

__all__ = ["LINE", "SIZE", "balance", "line_count", "text_width", "wrap"]

SIZE = 12
LINE = 15

# Advance width in thousandths of the font size: the letters that share it.
_CLASSES = {
    278: "'ijl",
    295: "IJ",
    318: " ,.",
    340: "/:;|!-",
    390: "()[]frt",
    500: '*_`"–…',
    530: "szc?",
    575: "FLk",
    610: "vxyPTYoae",
    636: "hnuSbdgpqE0123456789$",
    690: "KAVXZBRC",
    750: "UNHDG&",
    790: "OQ",
    838: "w#+<=>^~−→",
    870: "M",
    975: "mW%@",
}
_WIDTHS = {letter: width / 1000 for width, letters in _CLASSES.items() for letter in letters}
_OTHER = 0.66
_BOLD = 1.13


def text_width(words: str, size: float = SIZE, *, bold: bool = False) -> float:
    """Width in pixels of the widest line of a text.

    Parameters
    ----------
    words
        Text; lines are separated by a newline.
    size
        Font size in pixels.
    bold
        Whether it is set in bold.
    """
    widest = max(sum(_WIDTHS.get(letter, _OTHER) for letter in line) for line in words.split("\n"))
    return size * widest * (_BOLD if bold else 1.0)


def wrap(words: str, width: float, size: float = SIZE, *, bold: bool = False) -> str:
    """Break a text into lines no wider than ``width`` pixels; a single longer word stays whole."""
    lines = [""]
    for word in words.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and text_width(longer, size, bold=bold) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def balance(words: str, width: float, size: float = SIZE) -> str:
    """Break a text as `wrap` does, then even the lines out without adding one."""
    broken = wrap(words, width, size)
    while width > 40 and line_count(tighter := wrap(words, width - 6, size)) == line_count(broken):
        if text_width(tighter, size) > width:
            break
        broken, width = tighter, width - 6
    return broken


def line_count(words: str) -> int:
    """How many lines a text has."""
    return words.count("\n") + 1
