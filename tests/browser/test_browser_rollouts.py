"""Watch real rollouts in a real browser: real git, Envoy, processes, users, and a sign-in by link.

A calm change takes a minute at least, so it is on its way, and watched, while the rest happens.
"""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from world import ANA, BO, Site, World, wait_for

pytestmark = pytest.mark.timeout(600)

SOON, LATER = 30_000, 300_000  # milliseconds: at a page's own pace, and at a verdict's
KEEP_ALL_THAT_IS_SHOWN = """() => {
    window.sameDocument = true;
    window.seen = [];
    const look = () => {
        const word = document.querySelector("#state .word").innerText.trim().toLowerCase();
        const stops = [...document.querySelectorAll(".path li")]
            .map((stop) => `${stop.querySelector(".stop").textContent} ${stop.className}`);
        for (const one of [word, ...stops]) if (!seen.includes(one)) seen.push(one);
    };
    const all = {subtree: true, childList: true, characterData: true, attributes: true};
    new MutationObserver(look).observe(document.getElementById("page"), all);
    look();
}"""

Enter = Callable[..., Page]


def link_to(world: World, path: str, person: str) -> str:
    """What `surefoot open --print` prints first."""
    said = world.cli("open", path, "--print", person=person)
    assert said.returncode == 0, said.stderr
    return str(said.stdout.split()[0])


@pytest.fixture(scope="module")
def town() -> Iterator[Site]:
    """One control plane with two services and their users: for a calm change, and for the rest."""
    site = Site(World())
    try:
        site.world.up()
        site.add("steady", per_s=60, seconds=0.02)
        site.add("shaky", per_s=60)
        site.open()
        yield site
    finally:
        site.end()


@pytest.fixture(scope="module")
def address(town: Site) -> str:
    """Where a browser of this host finds the pages."""
    link = urlsplit(link_to(town.world, "/", ANA))
    return f"{link.scheme}://{link.netloc}"


@pytest.fixture(scope="module")
def enter(browser: Browser, town: Site, address: str) -> Iterator[Enter]:
    """Open pages as a member of the team, by the link that the command prints; no bearer token."""
    contexts: dict[str, BrowserContext] = {}

    def opened(path: str, person: str = ANA) -> Page:
        link = f"{address}{path}"
        if person not in contexts:
            contexts[person] = browser.new_context()
            contexts[person].set_default_timeout(SOON)
            link = link_to(town.world, path, person)
        page = contexts[person].new_page()
        page.goto(link)
        return page

    yield opened
    for context in contexts.values():
        context.close()


@pytest.fixture(scope="module", autouse=True)
def calm(town: Site, enter: Enter) -> tuple[Page, int]:
    """A change that Ana watches from before its review on, and that Bo approves in his browser."""
    steady = town["steady"]
    steady.commit("answer sooner", seconds=0.004)
    number = steady.ship(approve=False, expect=["latency_p50 falls by 20%"])
    page = enter(f"/changes/{number}")
    expect(page.locator("#sentence")).to_contain_text(f"No user has met {number}")
    page.evaluate(KEEP_ALL_THAT_IS_SHOWN)
    review = enter(f"/changes/{number}", BO)
    expect(page.locator("#who")).to_contain_text("Ana, Bo")
    review.get_by_role("button", name=f"Approve {number}").click()
    expect(page.locator("#who")).to_contain_text("Bo <bo@example.org>")
    review.close()
    return page, number


def ship(town: Site, subject: str, **behaviour: object) -> int:
    """A change of the shaky service, approved."""
    town["shaky"].commit(subject, **behaviour)
    return int(town["shaky"].ship())


def statuses_until(users, at: float) -> set[str]:
    """What users got, those included who asked in the second after this moment."""
    wait_for(lambda: users.answers()[-1].asked > at + 1.0, "a second more of answers", 30)
    return set(users.counts())


def came_by(page: Page, *wanted: str) -> bool:
    """Whether the page showed these words and stops, in this order."""
    seen = iter(page.evaluate("seen"))
    return all(one in seen for one in wanted)


def test_a_stranger_is_told_how_to_come_in(browser: Browser, town: Site, address: str) -> None:
    """The doorstep tells nothing but the command whose link leads to the very page."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/services/shaky")
    expect(page.locator("h1")).to_have_text("Sign in")
    assert "requests" not in page.locator("main").inner_text()
    command = page.locator("main code").inner_text().split()
    assert command[:2] == ["surefoot", "open"]
    said = town.world.cli(*command[1:], "--print", person=BO)
    page.goto(said.stdout.split()[0])
    expect(page).to_have_url(re.compile("/services/shaky$"))
    expect(page.locator("footer")).to_contain_text("Signed in as Bo")
    context.close()


def test_undo_in_one_of_two_browsers_fails_no_request(town: Site, enter: Enter) -> None:
    """Ana presses it while users come; Bo, who only looks, sees the same at once."""
    number = ship(town, "looks odd", seconds=0.004)
    ana, bo = (enter(f"/changes/{number}", person) for person in (ANA, BO))
    for page in (ana, bo):
        met = f"10 % of the requests meet {number}"
        expect(page.locator("#sentence")).to_contain_text(met, timeout=LATER)
    ana.get_by_role("button", name=re.compile(f"^Undo {number} ")).click()
    for page in (ana, bo):
        expect(page.locator("#sentence")).to_contain_text("All users are on 0 again")
        expect(page.locator("#undo")).to_contain_text("Nothing to undo")
        expect(page.locator("#story")).to_contain_text("Ana")
        page.close()
    given_back_at = town.world.get(f"/v1/changes/{number}")["given_back_at"]
    assert statuses_until(town.users["shaky"], given_back_at) == {"200"}


def test_harm_is_found_and_the_page_says_that_users_are_well(town: Site, enter: Enter) -> None:
    """What it hurt stands first, then what it prints; the headline counts who was harmed."""
    number = ship(town, "half of it fails", errors=0.5, complains="no such code: 0451")
    page = enter(f"/changes/{number}")
    page.evaluate(KEEP_ALL_THAT_IS_SHOWN)
    sentence = page.locator("#sentence")
    expect(sentence).to_contain_text("Users are well again since", timeout=LATER)
    shown = [
        f"shaky {number} {word}" for word in ("rolling out 10 %", "users are hurt", "restored")
    ]
    assert came_by(page, *shown, "users well done")
    assert "icon-restored" in page.locator("#icon").get_attribute("href")
    harmed = town.world.get(f"/v1/changes/{number}")["harmed"]["harmed"]
    expect(sentence).to_contain_text(f"{harmed} requests failed. Lane held until fixed.")
    order = page.evaluate("[...document.getElementById('page').children].map((part) => part.id)")
    assert order[:3] == ["state", "hurt", "says"]
    expect(page.locator("#hurt p.verdict")).to_contain_text("worse")
    expect(page.locator("#hurt svg.chart").first).to_be_visible()
    expect(page.locator("#says .novel")).to_contain_text("no such code: 0451")
    assert page.evaluate("sameDocument")
    page.close()


def test_a_rollout_is_watched_from_waiting_to_verified(calm: tuple[Page, int]) -> None:
    """Every word, share and stop comes by without a reload, with what it promised and its proof."""
    page, number = calm
    sentence = page.locator("#sentence")
    expect(sentence).to_contain_text(f"{number} operates as designed", timeout=LATER)
    words = ("getting ready", "rolling out 10 %", "verifying 50 %", "verified")
    assert came_by(page, *(f"steady {number} {word}" for word in words), "verified done")
    assert came_by(page, "review now", "review done", "10 % now", "10 % done", "50 % now")
    assert page.evaluate("sameDocument")
    expect(page).to_have_title(re.compile(f"steady {number}: {number} operates as designed"))
    assert "icon-verified" in page.locator("#icon").get_attribute("href")
    expect(page.locator("#designed")).to_contain_text("As designed")
    expect(page.locator("#hurt tr.word-verified")).to_have_count(3)
    expect(page.locator("#hurt svg.chart")).to_have_count(4)


def test_the_open_page_outlives_the_control_plane(
    town: Site, enter: Enter, calm: tuple[Page, int]
) -> None:
    """Killed and started anew, it is on the same page again, and nobody signs in anew."""
    page, number = calm
    sentence, connection = page.locator("#sentence"), page.locator("#connection")
    expect(sentence).to_contain_text(f"{number} operates as designed", timeout=LATER)
    town.world.kill()
    expect(connection).to_contain_text("Not connected")
    expect(sentence).to_contain_text(f"{number} operates as designed")
    town.world.up()
    expect(connection).to_be_hidden()
    town.world.post(f"/v1/changes/{number}/undo", {"because": "no more of it"}, BO)
    expect(page.locator("#story")).to_contain_text("no more of it")
    expect(sentence).not_to_contain_text("operates as designed")
    assert page.evaluate("sameDocument")
    again = enter(f"/changes/{number}")
    expect(again.locator("footer")).to_contain_text("Signed in as Ana")
    again.close()
