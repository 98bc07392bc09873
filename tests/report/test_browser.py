"""The page in a real browser, opened from a file as a reader opens it."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Validity
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.page import render_page
from tests.builders import make_run, make_summary
from tests.report.samples import STACKS, explained_cell, full_run

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REQUIRED = "WEBBENCH_REQUIRE_BROWSER"
OWNED = "document.title='owned'"
HOSTILE = f'\x1b[31m</script><script>{OWNED}</script>"><img src=x onerror="{OWNED}">'
A4: ViewportSize = {"width": 718, "height": 1046}
PHONE: ViewportSize = {"width": 375, "height": 740}


@pytest.fixture(scope="module")  # as long as it runs, its event loop does
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        message = f"no browser is installed ({', '.join(PROGRAMS)})"
        if os.environ.get(REQUIRED):
            pytest.fail(f"{message}, and {REQUIRED} is set")
        pytest.skip(message)
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=arguments)
        yield started
        started.close()


def hostile_run() -> SavedRun:
    cell = Cell(scenario="get_item", stack=HOSTILE)
    summary = replace(
        make_summary([0.01, 0.011]), cell=cell, examples=(HOSTILE,), validity=Validity(warnings=(HOSTILE,))
    )
    explained = (explained_cell(HOSTILE, f"{HOSTILE} ({HOSTILE}.py:1)"),)
    record = make_run(
        {cell: (0.01, 0.011)}, stack_failures={HOSTILE: HOSTILE}, notes=(HOSTILE,), explained=explained
    )
    return replace(record, summaries=(summary,))


class Opened:
    """A page opened from a file; what it says on its console, and whom it asks, is kept."""

    def __init__(self, context: BrowserContext, file: Path) -> None:
        self.page: Page = context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("html[data-drawn=yes]", state="attached")

    def width_of_content(self) -> tuple[int, int]:
        """Of the page and of the window."""
        found = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        return found[0], found[1]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    records = {"ordinary": [full_run()], "two": [full_run(), full_run()], "hostile": [hostile_run()]}
    for name, runs in records.items():
        (folder / f"{name}.html").write_text(render_page(runs), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in records}


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield made
    made.close()


@pytest.fixture(params=["ordinary", "two", "hostile"])
def opened(request: pytest.FixtureRequest, context: BrowserContext, files: dict[str, Path]) -> Opened:
    return Opened(context, files[request.param])


@pytest.fixture
def ordinary(context: BrowserContext, files: dict[str, Path]) -> Opened:
    return Opened(context, files["ordinary"])


def test_every_chart_is_drawn_the_console_is_empty_and_nobody_is_asked(opened: Opened) -> None:
    charts = opened.page.locator("[data-chart]")
    assert charts.count() >= 3
    for number in range(charts.count()):
        chart = charts.nth(number)
        assert chart.locator("svg").count() == 1, chart.get_attribute("data-chart")
        assert chart.locator(".role-mark path, .role-mark line, .role-mark text").count() >= 1
    assert opened.said == []
    assert opened.asked == [opened.page.url]


def test_what_others_wrote_does_nothing(context: BrowserContext, files: dict[str, Path]) -> None:
    opened = Opened(context, files["hostile"])
    assert opened.page.title() == "1 Python web stack in 1 scenario"
    assert opened.page.locator("img").count() == 0
    assert opened.page.get_by_text("</script><script>").count() > 0
    assert "\x1b" not in opened.page.content()
    chart = opened.page.locator("#scenarios-1 [data-chart]").first
    chart.scroll_into_view_if_needed()
    chart.locator(".mark-symbol path").first.hover(force=True)
    opened.page.locator("#tooltip").wait_for(state="visible")
    assert "</script>" in opened.page.locator("#tooltip").inner_text()
    assert opened.page.locator("img").count() == 0
    assert opened.page.title() == "1 Python web stack in 1 scenario"
    assert opened.said == []


def test_hovering_over_a_mark_shows_its_numbers(ordinary: Opened) -> None:
    chart = ordinary.page.locator("#scenarios-1 [data-chart]").first
    chart.scroll_into_view_if_needed()
    chart.locator(".mark-symbol path").first.hover(force=True)
    tooltip = ordinary.page.locator("#tooltip")
    tooltip.wait_for(state="visible")
    assert "fastapi-sqlite3" in tooltip.inner_text()
    assert "95 % interval" in tooltip.inner_text()
    box = tooltip.bounding_box()
    assert box is not None
    assert box["x"] > 0
    assert ordinary.said == []


def focused(page: Page) -> str:
    return str(
        page.evaluate(
            "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"
        )
    )


def test_the_keyboard_reaches_all_that_can_be_used(ordinary: Opened) -> None:
    page = ordinary.page
    page.keyboard.press("Tab")
    assert focused(page) == "skip"
    reached = []
    for _ in range(200):
        page.keyboard.press("Tab")
        reached.append(focused(page))
        if reached[-1] == "SUMMARY":
            break
    assert "theme" in reached
    assert reached[-1] == "SUMMARY"
    page.keyboard.press("Enter")
    opened = page.locator("details[open]")
    assert opened.count() == 1
    assert opened.locator("table").first.is_visible()


def test_the_skip_link_leads_to_the_content(ordinary: Opened) -> None:
    ordinary.page.keyboard.press("Tab")
    ordinary.page.keyboard.press("Enter")
    assert ordinary.page.evaluate("location.hash") == "#main"


def colours(page: Page) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Those of the text and of the paper, as numbers of red, green and blue."""
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    return rgb(ink), rgb(paper)


def rgb(colour: str) -> tuple[float, ...]:
    return tuple(map(float, re.findall(r"[\d.]+", colour)[:3]))


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """As WCAG defines it."""

    def luminance(colour: tuple[float, ...]) -> float:
        parts = [each / 255 for each in colour]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_dark_follows_the_system_and_the_button_changes_it(ordinary: Opened) -> None:
    page = ordinary.page
    light = colours(page)
    page.emulate_media(color_scheme="dark")
    dark = colours(page)
    assert light != dark
    assert min(contrast(*light), contrast(*dark)) > 7
    button = page.locator("#theme")
    expect(button).to_have_attribute("aria-pressed", "true")  # the page hears of the change a frame later
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert colours(page) == light
    page.keyboard.press("Space")
    assert colours(page) == dark
    assert ordinary.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_small_text_levels_and_marks_can_be_read(ordinary: Opened, scheme: Any) -> None:
    page = ordinary.page
    page.emulate_media(color_scheme=scheme)
    _, paper = colours(page)
    muted = rgb(page.evaluate("getComputedStyle(document.querySelector('.lead')).color"))
    assert contrast(muted, paper) > 4.5
    raised = rgb(page.evaluate("getComputedStyle(document.querySelector('.trust')).backgroundColor"))
    level = rgb(page.evaluate("getComputedStyle(document.querySelector('.verdict')).color"))
    assert contrast(level, raised) > 4.5
    symbols = [
        each.evaluate("each => getComputedStyle(each).fill") for each in page.locator(".card .symbol").all()
    ]
    assert all(contrast(rgb(each), paper) > 3 for each in symbols)
    label = page.locator("[data-chart] .role-axis-label text").first
    assert contrast(rgb(label.evaluate("each => getComputedStyle(each).fill")), paper) > 4.5
    mark = page.locator("#scenarios-1 [data-chart] .mark-symbol path").first
    assert mark.evaluate("each => getComputedStyle(each).fill") == symbols[0]  # a stack's, in all charts


def test_a_phone_scrolls_tables_and_not_the_page(browser: Browser, files: dict[str, Path]) -> None:
    context = browser.new_context(viewport=PHONE, is_mobile=True, has_touch=True)
    for file in files.values():
        opened = Opened(context, file)
        opened.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        content, window = opened.width_of_content()
        assert content <= window, file.name
        for chart in opened.page.locator("[data-chart] svg").all():
            box = chart.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= window + 1
    context.close()


def test_print_is_light_and_shows_what_is_folded(ordinary: Opened) -> None:
    page = ordinary.page
    light = colours(page)
    page.emulate_media(color_scheme="dark", media="print")
    assert colours(page) == light
    assert not page.locator("header").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.set_viewport_size(A4)
    content, window = ordinary.width_of_content()
    assert content <= window
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_headings_landmarks_and_tables_are_there_for_a_screen_reader(ordinary: Opened) -> None:
    page = ordinary.page
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("navigation", name="Sections").count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    charts = page.get_by_role("img")
    assert charts.count() == page.locator("[data-chart]").count()
    page.locator("details").first.locator("summary").click()
    table = page.locator("details").first.get_by_role("table")
    assert table.get_by_role("columnheader").count() >= 5
    assert table.get_by_role("rowheader").count() == len(STACKS)


def test_the_page_works_without_storage(browser: Browser, files: dict[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no'); }})"
    )
    opened = Opened(context, files["ordinary"])
    opened.page.locator("#theme").click()
    assert opened.page.locator("#theme").get_attribute("aria-pressed") == "true"
    assert opened.said == []
    context.close()
