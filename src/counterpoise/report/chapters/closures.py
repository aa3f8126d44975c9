"""Chapter five: the same shock under every closure of the deficits, side by side."""

from __future__ import annotations

import pandas as pd

from counterpoise.report.chapters.words import name, source_of
from counterpoise.report.document import Section, TableBlock
from counterpoise.report.numbers import NumberFormat
from counterpoise.report.story import Story

__all__ = ["closures_chapter"]

_WORDS = {
    "fixed_world_share": "fixed share of world output",
    "zero": "no deficits, before and after",
    "fixed_nominal": "fixed amount of the numeraire",
}


def closures_chapter(story: Story) -> Section:
    """Return the chapter on closures."""
    countries = list(dict.fromkeys(c for c in (story.target, story.third, story.seller, story.buyer) if c is not None))
    rows: list[dict[str, object]] = []
    for closure, solution in story.closures.items():
        base = solution.world
        row: dict[str, object] = {"closure": _WORDS[closure]}
        for c in countries:
            row[f"welfare_{c}"] = 100.0 * (float(solution.welfare_hat.sel(country=c)) - 1.0)
        for c in countries[:2]:
            row[f"deficit_{c}"] = (float(solution.deficit_cf.sel(country=c)) - float(base.deficit.sel(country=c))) / 1e9
        row["gap"] = (solution.gap_cf_usd(story.seller, story.buyer) - base.gap_usd(story.seller, story.buyer)) / 1e9
        rows.append(row)
    welfare = {f"welfare_{c}": f"{name(c)}, real income" for c in countries}
    deficit = {f"deficit_{c}": f"{name(c)}, deficit" for c in countries[:2]}
    fine, plain = NumberFormat(3, sign=True), NumberFormat(2, sign=True)
    table = TableBlock(
        title="One shock, three ways to close the world",
        frame=pd.DataFrame(rows),
        source=source_of(story.world),
        headers={"closure": "Deficits", **welfare, **deficit, "gap": f"Gap {name(story.seller)}–{name(story.buyer)}"},
        units={**dict.fromkeys(welfare, "%"), **dict.fromkeys(deficit, "change, USD bn"), "gap": "change, USD bn"},
        formats={**dict.fromkeys(welfare, fine), **dict.fromkeys(deficit, plain), "gap": plain},
        note=(
            "Without deficits the baseline itself is another one: the world is first solved with balanced trade, then"
            " shocked."
        ),
        id="closures-table",
    )
    return Section(
        id="closures",
        title="With fixed transfers a tariff cannot move a country's total deficit, only whom it is with",
        prose=(
            (
                "A country's deficit is what it borrows. The model does not explain borrowing: each closure fixes the"
                " total, so that a duty changes only its bilateral parts, prices and incomes. A total that hardly moves"
                " below is therefore an assumption and not a finding."
            ),
            (
                "What would be found with a total that answers, such as a margin of local distribution, differs:"
                " published work with it has the United States' deficit fall by a fifth under the tariffs of April"
                " 2025, and by 0.4 % without."
            ),
        ),
        tables=(table,),
    )
