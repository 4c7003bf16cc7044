"""A real browser for the pages, where there is one; `SUREFOOT_REQUIRE=chromium` insists on it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from gallery import Gallery, gallery
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from recorded import Served, served

REQUIRED = "chromium" in os.environ.get("SUREFOOT_REQUIRE", "")
FOUND = shutil.which("chromium") or shutil.which("chromium-browser")
expect.set_options(timeout=20_000)  # milliseconds: a busy machine is slow, not wrong


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say clearly what is left out."""
    if FOUND or REQUIRED:
        return
    reason = "LEFT OUT: no Chromium here; apt-get install --no-install-recommends chromium"
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a file's tests: what drives it holds an event loop, which others need."""
    assert FOUND, "Chromium is required here, and there is none"
    with sync_playwright() as playwright:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses it to root
        # Where there is no graphics card, to imitate one takes a third of the time.
        args = [*sandbox, "--disable-gpu"]
        launched = playwright.chromium.launch(executable_path=FOUND, args=args)
        yield launched
        launched.close()


@pytest.fixture
def control() -> Gallery:
    """Every state of a change, 100 and on."""
    return gallery()


@pytest.fixture
def site(control: Gallery) -> Iterator[Served]:
    """The pages of that control plane."""
    with served(control) as address:
        yield address


class Reader:
    """Somebody with a browser; what a page complains about is kept."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.context = context
        self.base = base
        self.complaints: list[str] = []

    def open(self, path: str) -> Page:
        """Open a page and wait until it is there."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)
        page.goto(f"{self.base}{path}")
        return page

    def _heard(self, message: object) -> None:
        text = str(getattr(message, "text", ""))
        if getattr(message, "type", "") == "error" and "net::ERR_" not in text:
            self.complaints.append(text)


@pytest.fixture
def reader_of(browser: Browser) -> Iterator[object]:
    """Make readers: of a site, as a person, with a browser's settings."""
    made: list[Reader] = []

    def make(site: Served, secret: str = "secret-of-ann", **settings: object) -> Reader:
        host, port = site.address
        settings.setdefault("viewport", {"width": 1200, "height": 900})
        headers = {"Authorization": f"Bearer {secret}"}
        context = browser.new_context(extra_http_headers=headers, **settings)
        context.set_default_timeout(20_000)
        made.append(Reader(context, f"http://{host}:{port}"))
        return made[-1]

    yield make
    for one in made:
        one.context.close()
        assert one.complaints == []
