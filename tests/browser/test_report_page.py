"""The report in a browser: every chart is drawn, nothing is fetched, it works narrow, dark and without a script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from counterpoise.report import write_html
from tests.unit.report.samples import SAMPLES, document, line

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@dataclass
class Opened:
    """A page with everything it complained about and everything it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_html(document(), tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light", accept_downloads=True)
    found = Opened(context.new_page())
    found.page.on("console", lambda message: found.complaints.append(f"{message.type}: {message.text}"))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.goto(report.as_uri())
    found.page.wait_for_function("n => document.querySelectorAll('.chart[data-drawn]').length === n", arg=len(SAMPLES))
    yield found
    context.close()


def paper(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_every_figure_is_drawn(opened: Opened) -> None:
    for figure in document().figures():
        box = opened.page.locator(f"#{figure.id} .chart svg").bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert box["height"] > 70
        marks = opened.page.locator(f"#{figure.id} .chart svg path, #{figure.id} .chart svg text").count()
        assert marks > 4, figure.id


def test_the_page_is_quiet_and_asks_for_nothing(opened: Opened) -> None:
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []


def test_figures_are_named_for_those_who_do_not_see_them(opened: Opened) -> None:
    assert opened.page.get_by_role("img", name=line().title, exact=True).count() == 1


def test_no_label_leaves_its_chart(opened: Opened) -> None:
    outside = opened.page.evaluate(
        """() => [...document.querySelectorAll('.chart svg text')].filter(text => {
            const a = text.getBoundingClientRect(), b = text.closest('.chart').getBoundingClientRect();
            const sideways = a.left < b.left - 1 || a.right > b.right + 1;
            return a.width && (sideways || a.top < b.top - 1 || a.bottom > b.bottom + 1);
        }).map(text => text.textContent)"""
    )
    assert outside == []


def test_the_toggle_turns_the_paper_dark_and_back(opened: Opened) -> None:
    page = opened.page
    assert paper(page) == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Switch to dark paper").click()
    assert paper(page) == "rgb(20, 23, 26)"
    assert page.locator(f"#{line().id} .chart svg [stroke='#6379F2' i]").count() > 0
    page.get_by_role("button", name="Switch to light paper").click()
    assert paper(page) == "rgb(255, 255, 255)"


def test_csv_is_downloaded_whole(opened: Opened) -> None:
    with opened.page.expect_download() as waiting:
        opened.page.locator(f"#{line().id}").get_by_role("button", name="CSV").click()
    assert waiting.value.suggested_filename == f"{line().id}.csv"
    assert Path(waiting.value.path()).read_text(encoding="utf-8-sig") == line().csv()


@pytest.mark.parametrize(("name", "begins"), [("SVG", b"<svg"), ("PNG", b"\x89PNG")])
def test_pictures_are_downloaded(opened: Opened, name: str, begins: bytes) -> None:
    with opened.page.expect_download() as waiting:
        opened.page.locator(f"#{line().id}").get_by_role("button", name=name).click()
    content = Path(waiting.value.path()).read_bytes()
    assert content.startswith(begins)
    assert len(content) > 3000
    assert name == "PNG" or b"Source: TRADESTAT" in content
    assert opened.complaints == []


def test_a_narrow_page_does_not_scroll_sideways(opened: Opened) -> None:
    opened.page.set_viewport_size({"width": 390, "height": 800})
    opened.page.wait_for_function(
        "() => [...document.querySelectorAll('.chart svg')].every(s => s.getBoundingClientRect().width <= 390)"
    )
    assert overflow(opened.page) <= 0
    test_no_label_leaves_its_chart(opened)


def test_arrow_keys_walk_through_the_points(opened: Opened) -> None:
    chart = opened.page.locator(f"#{line().id} .chart")
    chart.focus()
    chart.press("ArrowRight")
    assert "Russia sells to India" in (opened.page.locator(f"#{line().id} [aria-live]").text_content() or "")


def test_the_drawer_says_how_it_was_computed(opened: Opened) -> None:
    figure = opened.page.locator(f"#{line().id}")
    figure.get_by_text("How was this computed?").click()
    assert figure.locator("details.method p").inner_text() == "As reported by Indian customs."


def test_without_scripts_the_data_are_on_the_page(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator(f"#{line().id} table").is_visible()
    assert not page.locator(f"#{line().id} .chart").is_visible()
    context.close()
