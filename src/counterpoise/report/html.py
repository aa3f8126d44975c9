"""A `Document` as one self-contained HTML file that asks no other host for anything.

Styles, script, chart library and data are inside the file. A Content-Security-Policy forbids the browser every request
and names by hash the only scripts it may run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from counterpoise.report._files import write_atomically
from counterpoise.report.document import Cells, Document, written_cells
from counterpoise.report.figure import Figure
from counterpoise.report.theme import DARK, LIGHT, THEMES, Theme

__all__ = ["render_html", "write_html"]

_BOLD = re.compile(r"\*\*(.+?)\*\*")
_ITALIC = re.compile(r"(?<!\*)\*(?!\*)(.+?)(?<!\*)\*(?!\*)")
_LINK = re.compile(r"\[([^\]]+)\]\((#[a-z0-9-]+|https://[^)\s]+)\)")
_PAPER = ("paper", "panel", "ink", "muted", "rule", "grid", "accent")


def render_html(document: Document) -> str:
    """Return the report as one HTML page.

    Parameters
    ----------
    document
        What the report says.

    Returns
    -------
    HTML text; the same document gives the same text, byte by byte.
    """
    templates = _templates()
    macros = templates.get_template("figure.html.j2").module
    scripts = (_static("vendor/echarts.min.js"), _static("figure.js"))

    def render_figure(figure: Figure) -> Markup:
        payload = figure.payload()
        made: Any = getattr(macros, "figure")  # noqa: B009
        return Markup(made(figure, payload, figure_cells(figure), _json(payload)))

    def render_table(cells: Cells, title: str) -> Markup:
        made: Any = getattr(macros, "table")  # noqa: B009
        return Markup(made(cells, title))

    return templates.get_template("report.html.j2").render(
        document=document,
        css=Markup(_variables() + _static("report.css")),
        policy=_policy(scripts),
        stamp=_stamp(document.manifest),
        manifest=[(str(key), _shown(value)) for key, value in document.manifest.items()],
        themes=_json({name: dict(theme.tokens) for name, theme in THEMES.items()}),
        scripts=[Markup(script) for script in scripts],
        render_figure=render_figure,
        render_table=render_table,
    )


def write_html(document: Document, path: str | Path) -> Path:
    """Write the report; the file appears whole or not at all.

    Parameters
    ----------
    document
        What the report says.
    path
        Where; folders are made.

    Returns
    -------
    The path written.
    """
    return write_atomically(Path(path), render_html(document).encode())


def figure_cells(figure: Figure) -> Cells:
    """Write the data of a figure as text, for readers who do not see the chart."""
    formats = dict.fromkeys(figure.number_columns(), figure.number)
    return written_cells(figure.data, dict(figure.columns()), formats)


def markup(words: str) -> Markup:
    """Turn the three marks of prose into HTML; everything else is escaped."""
    safe = html.escape(words, quote=False)
    safe = _BOLD.sub(r"<strong>\1</strong>", safe)
    safe = _ITALIC.sub(r"<em>\1</em>", safe)
    return Markup(_LINK.sub(r'<a href="\2">\1</a>', safe))


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("counterpoise.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["markup"] = markup
    return environment


@cache
def _static(name: str) -> str:
    return (resources.files("counterpoise.report") / "static" / name).read_text(encoding="utf-8")


def _json(value: Any) -> Markup:
    """JSON that is safe inside a script element."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(written.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _policy(scripts: tuple[str, ...]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _variables() -> str:
    """Colour tokens as CSS variables: light, dark by preference, and either by choice; paper is always light."""

    def block(theme: Theme) -> str:
        paper = "".join(f"--{name}:{theme.colour('@' + name)};" for name in _PAPER)
        tokens = "".join(f"--c-{key[1:]}:{value};" for key, value in theme.tokens.items() if "/" not in key)
        return paper + tokens

    light, dark = block(LIGHT), block(DARK)
    return (
        f":root{{{light}}}\n"
        f'@media screen and (prefers-color-scheme:dark){{:root:not([data-theme="light"]){{{dark}}}}}\n'
        f'@media screen{{:root[data-theme="dark"]{{{dark}color-scheme:dark}}'
        ':root[data-theme="light"]{color-scheme:light}}\n'
    )


def _stamp(manifest: Mapping[str, Any]) -> str:
    return " · ".join(str(manifest[key]) for key in ("scenario", "version", "date") if manifest.get(key))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, ensure_ascii=False, default=str)
