"""The flagship's real report in a browser: drawn, quiet, and fit for a narrow screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from counterpoise.report.story import StoryResult

pytestmark = pytest.mark.browser

_OUTSIDE = """() => [...document.querySelectorAll('.chart svg text')].filter(text => {
    const a = text.getBoundingClientRect(), b = text.closest('.chart').getBoundingClientRect();
    return a.width && (a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1);
}).map(text => text.textContent)"""


@pytest.fixture(params=[1280, 390])
def opened(request: pytest.FixtureRequest, browser: Browser, flagship: StoryResult) -> Iterator[tuple[Page, list[str]]]:
    """Open the report at a width, with everything it says on the console or asks for."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    page, heard = context.new_page(), list[str]()
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else heard.append(asked.url))
    page.goto(flagship.html_path.as_uri())
    page.wait_for_function(
        "document.querySelectorAll('.chart').length > 8"
        " && document.querySelectorAll('.chart:not([data-drawn])').length === 0"
    )
    yield page, heard
    context.close()


def test_every_chart_is_drawn_inside_its_frame_and_the_page_asks_for_nothing(opened: tuple[Page, list[str]]) -> None:
    page, heard = opened
    assert heard == []
    assert page.evaluate(_OUTSIDE) == []


def test_nothing_sticks_out_sideways(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
