"""What the pages weigh and how fast they are, in a real browser: `python benchmarks/pages.py`.

Served on loopback by the shipped application over recorded statuses and evidence (tests/pages), so
that the page is timed and not a rollout. To reach: under 100 kB with all that belongs to a page;
first paint with data under 0.3 s; an event on the page within 0.3 s. Needs Chromium.
"""

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "pages"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "api"))

from gallery import STATES, Gallery, gallery
from playwright.sync_api import Browser, Page, Response, sync_playwright
from recorded import Served, served

PAGES = ("/", "/log", "/services/restored", "/changes/100", "/changes/103", "/changes/108")
A_WORD = "data:text/html,<p>word"  # what the browser alone takes
WATCHED = 103
HEARD = """(wanted) => new Promise((done) => {
    const look = () => document.getElementById("state").textContent.includes(wanted)
        && (observer.disconnect(), done(performance.timeOrigin + performance.now()));
    const observer = new MutationObserver(look);
    observer.observe(document.body, {subtree: true, childList: true, characterData: true});
})"""
PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
    const paint = list.getEntriesByName("first-contentful-paint")[0];
    if (paint) done(paint.startTime);
}).observe({type: "paint", buffered: true}))"""


def weigh(browser: Browser, address: str) -> tuple[int, float]:
    """Bytes of a page for a browser that has nothing in store, and seconds to its first paint."""
    with browser.new_context(extra_http_headers=KEY) as context:
        answers: list[Response] = []

        def keep(answer: Response) -> None:
            answers.append(answer)

        context.on("response", keep)
        page = context.new_page()
        page.goto(address)
        painted = page.evaluate(PAINT) / 1000
        weight = sum(len(one.body()) for one in answers if "/live/" not in one.url)
        return weight, painted


KEY = {"Authorization": "Bearer secret-of-ann"}


def heard(control: Gallery, page: Page, times: int) -> Iterator[float]:
    """Seconds from something that happens to the moment at which it stands on the open page."""
    going = replace(STATES["rolling_out"], number=WATCHED, service="rolling-out")
    for step in range(times):
        share = 0.01 * (11 + step % 80)
        page.evaluate(f"void (window.shown = ({HEARD})('{100 * share:.0f} %'))")
        happened = time.time()
        control.show(replace(going, share=share))
        yield page.evaluate("window.shown") / 1000 - happened
        time.sleep(0.05 + 0.013 * (step % 7))  # not in step with anything


def said(name: str, values: Sequence[float], goal: str) -> str:
    """Median, nine in ten, and most, in milliseconds."""
    ordered = sorted(values)
    nine = ordered[max(0, -(-len(ordered) * 9 // 10) - 1)]
    told = [1000 * one for one in (statistics.median(ordered), nine, ordered[-1])]
    return f"{name:<34} {told[0]:6.0f} {told[1]:6.0f} {told[2]:6.0f} ms   {goal}"


def measure(control: Gallery, site: Served, browser: Browser, rounds: int) -> None:
    """Print one line for each page, and one for what happens."""
    base = "http://{}:{}".format(*site.address)
    print(f"{'page, first paint':<34} median    p90   most")
    paints = [weigh(browser, A_WORD)[1] for _ in range(rounds)]
    print(said("one word, for comparison", paints, ""))
    for path in PAGES:
        weighed = [weigh(browser, f"{base}{path}") for _ in range(rounds)]
        kilobytes = max(weight for weight, _ in weighed) / 1000
        paints = [painted for _, painted in weighed]
        print(said(f"{path} ({kilobytes:.0f} kB)", paints, "under 300 ms, 100 kB"))
    with browser.new_context(extra_http_headers=KEY) as context:
        page = context.new_page()
        page.goto(f"{base}/changes/{WATCHED}")
        page.get_by_text("Ann Example", exact=True).first.wait_for()
        print(said("an event, until it is there", [*heard(control, page, 5 * rounds)], "300 ms"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=11, help="times that each is measured")
    told = parser.parse_args()
    found = shutil.which("chromium") or sys.exit("No Chromium: apt-get install chromium")
    control = gallery()
    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    with served(control) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=sandbox)
        measure(control, site, browser, told.rounds)
        browser.close()


if __name__ == "__main__":
    main()
