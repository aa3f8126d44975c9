"""The page is whole, safe and alone: nothing is loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from counterpoise.core.errors import InputError
from counterpoise.report import Document, Section, TableBlock, render_html, write_html
from counterpoise.report.html import markup
from tests.unit.report.samples import BACI, SAMPLES, bar, document, table


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.headers: list[str] = []
        self._open: dict[str, str | None] | None = None
        self._in_th = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [
            (tag, given[name] or "") for name in ("src", "href", "action", "data", "poster") if name in given
        ]
        if identity := given.get("id"):
            self.ids.append(identity)
        self._open = given if tag == "script" else None
        self._in_th = tag == "th"

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.scripts.append((self._open, data))
            self._open = None
        if self._in_th:
            self.headers.append(data)


@pytest.fixture(scope="module")
def text() -> str:
    return render_html(document())


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_nothing_is_loaded_from_another_host(page: Page) -> None:
    assert all(tag == "a" and target.startswith("#") for tag, target in page.links), page.links


def test_styles_import_nothing(text: str) -> None:
    style = text[text.index("<style>") : text.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style


def test_the_policy_forbids_requests_and_names_each_script(text: str, page: Page) -> None:
    found = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert found is not None
    policy = found[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    running = [body for attributes, body in page.scripts if "type" not in attributes]
    assert len(running) == 2
    for body in running:
        assert base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() in policy


def test_every_figure_carries_its_payload_and_its_table(text: str, page: Page) -> None:
    held = {a["id"]: json.loads(body) for a, body in page.scripts if a.get("type") == "application/json"}
    for figure in document().figures():
        assert held[f"figure-data-{figure.id}"] == json.loads(json.dumps(figure.payload()))
    assert text.count("data-fallback") >= len(SAMPLES)


def test_anchors_are_unique(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))


def test_links_of_the_page_lead_somewhere(page: Page) -> None:
    assert {target[1:] for _, target in page.links} <= set(page.ids)


def test_headers_of_tables_carry_units(page: Page) -> None:
    assert "Imports (USD mn)" in page.headers


def test_what_is_written_is_escaped(text: str) -> None:
    assert "5 &lt; 6 &lt;script&gt;alert(1)&lt;/script&gt;." in text
    assert "The gap &amp; what closes it" in text
    assert "BACI &lt;2024&gt;" in text


def test_markup_knows_three_marks() -> None:
    assert markup("**63.7 bn** and *so* [on](#gap)") == (
        '<strong>63.7 bn</strong> and <em>so</em> <a href="#gap">on</a>'
    )
    assert markup('<b>[x](javascript:alert)</b> "') == '&lt;b&gt;[x](javascript:alert)&lt;/b&gt; "'


def test_the_same_report_gives_the_same_bytes(text: str) -> None:
    assert render_html(document()) == text


def test_writing_leaves_one_whole_file(tmp_path: Path, text: str) -> None:
    target = tmp_path / "deep" / "report.html"
    assert write_html(document(), target) == target
    assert target.read_text(encoding="utf-8") == text
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]


def test_a_report_lists_every_problem_at_once() -> None:
    twice = bar()
    with pytest.raises(InputError) as caught:
        Document(
            title="",
            dek="d",
            sentences=("**odd",),
            sections=(
                Section(id="one", title="One", figures=(twice, twice)),
                Section(id="Two", title="", prose=("[see](#oen) [there](http://example.org)",)),
            ),
        )
    found = caught.value.problems
    assert len(found) == 7
    assert "title is empty" in found
    assert any("occurs 2 times" in words for words in found)
    assert any("'Two' is not an anchor" in words for words in found)
    assert any("'#oen', which is no id here; did you mean 'one'?" in words for words in found)
    assert any("'http://example.org', expected '#id' or 'https://...'" in words for words in found)


def test_a_table_names_what_is_wrong() -> None:
    with pytest.raises(InputError) as caught:
        TableBlock(title="T", frame=pd.DataFrame({"imports": [1.0]}), source="", units={"import": "USD"})
    assert caught.value.problems == (
        "source is empty, expected source and vintage",
        "units names 'import', which is not a column; did you mean 'imports'?",
    )


def test_cells_are_written_with_their_formats() -> None:
    cells = table().cells()
    assert [head.words for head in cells.heads] == ["Year", "Imports (USD mn)", "Balance (USD mn)"]
    assert cells.rows == (("2023", "66,149", "\u221262,095"), ("2024", "63,651", "\u2013"))
    assert BACI.startswith("BACI")
