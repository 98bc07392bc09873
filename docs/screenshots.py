"""The screenshots of the report in the documentation, taken again: ``python docs/screenshots.py RUN``.

``RUN`` is the folder of a run. Needs Chromium or Chrome, and the dependency group ``test``.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, ViewportSize, sync_playwright
from pytest_webbench.session.reports import write_reports

IMAGES = Path(__file__).parent / "images"
WINDOW: ViewportSize = {"width": 1200, "height": 860}
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FIGURE = "#scenarios-3"
"""The results of the third scenario."""


def main() -> None:
    """Take the screenshots."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if len(sys.argv) != 2 or program is None:
        sys.exit("usage: python docs/screenshots.py RUN (with Chromium or Chrome installed)")
    IMAGES.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        (page,) = write_reports([Path(sys.argv[1])], kinds=("html",), folder=Path(folder))
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        take(browser, page, IMAGES / "report-first-screen.png")
        take(browser, page, IMAGES / "report-figure.png", part=FIGURE)
        browser.close()


def take(browser: Browser, file: Path, image: Path, *, part: str | None = None) -> None:
    """Take a picture of the page, or of a ``part`` of it."""
    context = browser.new_context(viewport=WINDOW, color_scheme="light")
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-drawn=yes]", state="attached")
    if part is None:
        page.screenshot(path=image)
    else:
        page.locator(part).screenshot(path=image)
    print(image)
    context.close()


if __name__ == "__main__":
    main()
