"""What the documentation takes from the product itself, and its mathematics, made while the pages are built.

- Formulas between dollar signs become MathML, which browsers draw by themselves: no page needs a script from elsewhere.
- `<!-- vocabulary -->` becomes the table of `core/variables.csv`.
- `<!-- api -->` becomes one section per layer of the package.
- `<!-- table PATH [KEY] -->` becomes a table of the package, from a CSV or TOML file.
- `<!-- cli -->` becomes the help of every command, `<!-- scenario-schema -->` the JSON Schema of scenario files.

Code, in fences or between backticks, is left as it is.
"""

from __future__ import annotations

import csv
import html
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from typing import Any, cast

from latex2mathml.converter import convert
from mkdocs.structure.pages import Page

from tools.check_layers import ORDER
from tools.rules import SOURCE

COMMANDS = (
    "run",
    "gap",
    "products",
    "estimate gravity",
    "close",
    "simulate",
    "optimal",
    "nash",
    "cooperate",
    "replicate",
    "bench",
    "frictions",
    "settle",
    "fund",
    "data",
    "data list",
    "data card",
    "data build-world",
    "data import",
    "data store",
    "data verify",
    "data fetch",
    "data add",
    "data sniff",
    "data tidy",
    "data comtrade",
    "scenarios list",
    "scenarios show",
    "schema",
    "doctor",
)

_CODE = re.compile(r"^(?P<fence>```+|~~~+).*?^(?P=fence)[ \t]*$|`+[^`\n]+`+", re.MULTILINE | re.DOTALL)
_MATH = re.compile(
    r"^(?P<indent>[ \t]*)\$\$(?P<display>.+?)\$\$[ \t]*$|(?<![\\$\w])\$(?P<inline>(?!\s)[^$\n]+?(?<!\s))\$(?![\w$])",
    re.MULTILINE | re.DOTALL,
)
# Names of functions stand apart from their argument, as in print.
_THIN = '<mspace width="0.14em" />'
_FUNCTION = re.compile(r"<mi>(ln|log|exp)</mi>")
_TABLE = re.compile(r"<!-- table (?P<arguments>[\w./ -]+?) -->")
_HELD = re.compile(r"<p>⟦formula (\d+)⟧</p>|⟦formula (\d+)⟧")


def hold_formulas(markdown: str) -> tuple[str, list[str]]:
    """Take formulas out of a page before Markdown reads it, so that it does not mistake their signs for its own.

    Parameters
    ----------
    markdown
        Text of a page.

    Returns
    -------
    The text with a mark in place of each formula, and the MathML of each.
    """
    formulas: list[str] = []

    def hold(match: re.Match[str]) -> str:
        display = match["display"] is not None
        text = match["display"] if display else match["inline"]
        formula = convert(text.strip(), display="block" if display else "inline")
        formulas.append(_FUNCTION.sub(rf"{_THIN}<mi>\1</mi>{_THIN}", formula))
        return f"{match['indent'] or ''}⟦formula {len(formulas) - 1}⟧"

    parts: list[str] = []
    end = 0
    for code in _CODE.finditer(markdown):
        parts += [_MATH.sub(hold, markdown[end : code.start()]), code.group()]
        end = code.end()
    parts.append(_MATH.sub(hold, markdown[end:]))
    return "".join(parts), formulas


def restore_formulas(page: str, formulas: list[str]) -> str:
    """Put formulas back into a page that Markdown has rendered.

    Parameters
    ----------
    page
        HTML with marks.
    formulas
        MathML of each.

    Returns
    -------
    The finished HTML.
    """

    def restore(match: re.Match[str]) -> str:
        if match[1] is not None:
            return f'<div class="formula">{formulas[int(match[1])]}</div>'
        return formulas[int(match[2])]

    return _HELD.sub(restore, page)


def vocabulary() -> str:
    """Write the vocabulary as a table.

    Returns
    -------
    Markdown.
    """
    with (SOURCE / "core" / "variables.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = ["| name | symbol | dims | unit | what it is | source |", "|---|---|---|---|---|---|"]
    for row in rows:
        symbol = f"`{row['symbol']}`" if row["symbol"] else ""
        told = [
            html.escape(row[key], quote=False).replace("|", r"\|") for key in ("dims", "unit", "description", "source")
        ]
        lines.append("| " + " | ".join([f"`{row['name']}`", symbol, *told]) + " |")
    return "\n".join(lines)


def api() -> str:
    """Ask for the reference of every layer that the package has, from left to right.

    Returns
    -------
    Markdown with one mkdocstrings block per layer.
    """
    layers = [layer for names in ORDER for layer in sorted(names)]
    present = [layer for layer in layers if (SOURCE / layer / "__init__.py").exists()]
    return "\n\n".join(f"## {layer}\n\n{public_modules(layer)}" for layer in present)


def public_modules(layer: str) -> str:
    """Ask for the reference of every public module of a layer.

    Parameters
    ----------
    layer
        Name of a layer.

    Returns
    -------
    Markdown.
    """
    folder = SOURCE / layer
    blocks: list[str] = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        if path.name == "__init__.py":
            # What a package offers is documented where it is defined.
            blocks.append(f"::: {'.'.join(parts[:-1])}\n    options:\n      members: false")
        elif not any(part.startswith("_") for part in parts):
            blocks.append(f"::: {'.'.join(parts)}")
    return "\n\n".join(blocks)


def help_of(*arguments: str) -> str | None:
    """Run the command line.

    Parameters
    ----------
    arguments
        What to type after `counterpoise`.

    Returns
    -------
    What it prints, or None where it does not end well.
    """
    if not (SOURCE / "faces").is_dir():
        return None
    program = "import sys; from counterpoise.faces.cli import main; sys.argv[0] = 'counterpoise'; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "COLUMNS": "96", "TERMINAL_WIDTH": "96", "NO_COLOR": "1", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else None


def cli() -> str:
    """Write the help of every command.

    Returns
    -------
    Markdown.
    """
    blocks: list[str] = []
    for command in COMMANDS:
        told = help_of(*command.split(), "--help")
        if told is not None:
            blocks.append(f"### counterpoise {command}\n\n```text\n{told}\n```")
    return "\n\n".join(blocks)


def scenario_schema() -> str:
    """Write the JSON Schema of scenario files.

    Returns
    -------
    Markdown.
    """
    told = help_of("schema")
    return f"```json\n{told}\n```" if told is not None else ""


def table(path: str, key: str = "") -> str:
    """Write a table of the package.

    Parameters
    ----------
    path
        CSV or TOML file under the package.
    key
        In a TOML file: the table of tables, or the list of tables, that is meant.

    Returns
    -------
    Markdown.
    """
    text = (SOURCE / path).read_text(encoding="utf-8")
    rows: list[Mapping[str, object]]
    if path.endswith(".csv"):
        rows = list(csv.DictReader(text.splitlines()))
    else:
        found = tomllib.loads(text)[key]
        named = cast("Mapping[str, Mapping[str, object]]", found)
        listed = cast("list[Mapping[str, object]]", found)
        rows = listed if isinstance(found, list) else [{"name": name, **row} for name, row in named.items()]
    names = list(rows[0])
    lines = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |", "|" + "---|" * len(names)]
    lines += [
        "| " + " | ".join(html.escape(_cell(row[name]), quote=False).replace("|", r"\|") for name in names) + " |"
        for row in rows
    ]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def sources() -> str:
    """Write the readers of public sources and the addresses that can be fetched, as two tables.

    Returns
    -------
    Markdown.
    """
    from counterpoise.data.fetch import addresses
    from counterpoise.data.readers.registry import infos, key_of, layouts

    lines = ["| source | layouts read | one row per | values | licence |", "|---" * 5 + "|"]
    for name, info in infos().items():
        cells = [f"`{name}`: {info.title}", "; ".join(layouts(name)), ", ".join(key_of(name))]
        cells += [f"{info.unit}; {info.valuation}", info.licence]
        lines.append("| " + " | ".join(html.escape(cell, quote=False).replace("|", r"\|") for cell in cells) + " |")
    lines += ["", "| name | source | what it is | how | licence | page |", "|---" * 6 + "|"]
    for row in addresses().values():
        how = "`data fetch`" if row.url else "`data comtrade`" if row.source == "comtrade" else "by hand, `data add`"
        host = row.page.split("/")[2]
        what = f"{row.title}, {row.vintage}"
        lines.append(f"| `{row.name}` | `{row.source}` | {what} | {how} | {row.licence} | [{host}]({row.page}) |")
    return "\n".join(lines)


MARKS = {"sources": sources, "vocabulary": vocabulary, "api": api, "cli": cli, "scenario-schema": scenario_schema}


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Fill in what comes from the product, then take the formulas out.

    Parameters
    ----------
    markdown
        Text of a page.
    page
        The page, which keeps its formulas until it is rendered.

    Returns
    -------
    Text for the Markdown parser.
    """
    text, formulas = hold_formulas(markdown)
    page.meta["formulas"] = formulas
    for mark, fill in MARKS.items():
        if f"<!-- {mark} -->" in text:
            text = text.replace(f"<!-- {mark} -->", fill())
    return _TABLE.sub(lambda match: table(*match["arguments"].split()), text)


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Put the formulas back.

    Parameters
    ----------
    html
        The rendered page.
    page
        The page, which kept its formulas.

    Returns
    -------
    The finished page.
    """
    return restore_formulas(html, page.meta.pop("formulas", []))
