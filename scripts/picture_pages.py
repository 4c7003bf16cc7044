"""`make pictures`: the pages as a browser shows them, from a real run of the demo.

Runs `surefoot demo`, signs a Chromium in by the very link that `surefoot open --print` prints,
waits until a page says what its picture is to show, and writes `docs/pages/*.webp`.
"""

# ruff: noqa: INP001 -- a script, not a package

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from surefoot.demo.client import Client
from surefoot.demo.repository import ANA

__all__ = ["PICTURES", "SHOTS", "Picture", "Shot", "main", "written"]

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pages"
LARGEST = 600_000  # bytes, all of them together
QUALITY = 65  # of WebP: text stays sharp
DEMO_MS = 300_000.0  # longer than any part of the demo takes
BEGUN = re.compile(r"its keeper in (/\S+)")
DESK, PHONE = (1200, 900), (390, 844)
LOW = (1200, 200)  # lower than any page: a whole one is then as high as what is on it


@dataclass(frozen=True, slots=True)
class Picture:
    """One file: `size` is that of the window in pixels, `whole` shows what is below it, too."""

    name: str
    size: tuple[int, int] = DESK
    scheme: str = "light"
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Shot:
    """A page, what it must say, and the pictures that are taken of that moment.

    `after` is what the demo says before there is such a page.
    """

    after: str
    path: str
    says: str
    pictures: tuple[Picture, ...]


# The demo's change 1 is good, 2 does harm, 3 waits for its fix, which is 4: in this order.
SHOTS = (
    Shot(
        "ships 1:",
        "/changes/1",
        "50 % of the requests meet 1",
        (
            Picture("rolling-out", LOW, whole=True),
            Picture("rolling-out-phone", PHONE),
        ),
    ),
    Shot("ships 2:", "/changes/1", "1 operates as designed", (Picture("verified"),)),
    Shot(
        "approves",
        "/changes/2",
        "Users are well again",
        (
            Picture("restored", LOW, whole=True),
            Picture("restored-dark", scheme="dark"),
            Picture("restored-phone", PHONE, "dark"),
        ),
    ),
    Shot("ships 4:", "/", "A change of shop is on its way", (Picture("board", LOW, whole=True),)),
)
PICTURES = tuple(f"{picture.name}.webp" for shot in SHOTS for picture in shot.pictures)


class Camera:
    """A browser that is signed in once, whatever size its window has."""

    def __init__(self, browser: Browser, link: str) -> None:
        first = browser.new_context()
        page = first.new_page()
        page.goto(link)
        self._base = page.url.rstrip("/")
        self._state = first.storage_state()
        self._browser = browser
        first.close()

    def take(self, shot: Shot) -> dict[str, bytes]:
        """Wait until the page says it; returns each picture's name and bytes."""
        with self._window(shot.pictures[0]) as waiting:
            page = self._opened(waiting, shot)
            expect(page.locator("#sentence")).to_contain_text(shot.says, timeout=DEMO_MS)
        taken = {}
        for picture in shot.pictures:
            with self._window(picture) as window:
                taken[picture.name] = self._taken(window, shot, picture)
        return taken

    def _opened(self, window: BrowserContext, shot: Shot) -> Page:
        """The page; one that only says why it cannot be shown would be waited for in vain."""
        page = window.new_page()
        answer = page.goto(self._base + shot.path)
        if answer is None or not answer.ok:
            raise RuntimeError(f"{shot.path}: {page.locator('main').inner_text()}")
        return page

    def _taken(self, window: BrowserContext, shot: Shot, picture: Picture) -> bytes:
        page = self._opened(window, shot)
        expect(page.locator("#sentence")).to_contain_text(shot.says)
        if shot.path != "/":
            expect(page.locator("#who dd").last).to_contain_text(ANA.name)
        size = {"width": picture.size[0], "height": picture.size[1]}
        if picture.whole:
            size["height"] = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size(size)
        clip = {"x": 0, "y": 0, "scale": 1, **size}
        wanted = {"format": "webp", "quality": QUALITY, "clip": clip}
        answer = window.new_cdp_session(page).send("Page.captureScreenshot", wanted)
        return base64.b64decode(answer["data"])

    @contextlib.contextmanager
    def _window(self, picture: Picture) -> Iterator[BrowserContext]:
        width, height = picture.size
        window = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if picture.scheme == "dark" else "light",
            reduced_motion="reduce",
            storage_state=self._state,
        )
        try:
            yield window
        finally:
            window.close()


def written(taken: dict[str, bytes], folder: Path) -> int:
    """Put the pictures in place of those that were there; returns their bytes.

    Raises `ValueError`, and writes nothing, when they are too large together.
    """
    total = sum(map(len, taken.values()))
    if total > LARGEST:
        raise ValueError(f"The pictures have {total:,} bytes; {LARGEST:,} are allowed.")
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.webp"):
        old.unlink()
    for name, data in taken.items():
        (folder / f"{name}.webp").write_bytes(data)
    return total


def _link(folder: Path) -> str:
    """What Ana gets from `surefoot open --print`."""
    home = folder / "home"
    address = json.loads((home / "daemon.json").read_text())["address"]
    owner = Client(address, (home / "token").read_text().strip())
    environment = {
        **os.environ,
        "SUREFOOT_HOME": str(home),
        "SUREFOOT_TOKEN": owner.give_token(ANA.name, ANA.email),
    }
    said = subprocess.run(
        [sys.executable, "-m", "surefoot", "open", "--print"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout.split()[0]


def _photographed(lines: Iterator[str]) -> dict[str, bytes]:
    """Every picture of a run that has just begun, by what it says."""
    folder = next(Path(found[1]) for line in lines if (found := BEGUN.search(line)))
    next(line for line in lines if "a baseline of" in line)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses it to root
        with playwright.chromium.launch(executable_path=chromium, args=sandbox) as browser:
            camera = Camera(browser, _link(folder))
            taken: dict[str, bytes] = {}
            for shot in SHOTS:
                next(line for line in lines if shot.after in line)
                taken |= camera.take(shot)
                sys.stderr.write(f"{shot.path}: {shot.says}\n")
            return taken


def main() -> int:
    """Take them; write nothing when the demo did not end as it should."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "surefoot", "demo"], stdout=subprocess.PIPE, text=True
    )
    try:
        taken = _photographed(iter(demo.stdout or ()))
        demo.communicate()
    finally:
        demo.terminate()  # it leaves nothing behind; a demo that has ended does not mind
    if demo.returncode != 0:
        sys.stderr.write(f"The demo ended with {demo.returncode}.\n")
        return 1
    sys.stdout.write(f"{len(taken)} pictures, {written(taken, FOLDER):,} bytes.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
