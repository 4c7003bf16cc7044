"""How pages look to an eye, to a phone, to a screen reader, without a script, and to an enemy."""

import os
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from gallery import NOW, STATES, Gallery, service_of
from playwright.sync_api import Page, Response, expect
from recorded import served

NUMBERS = dict(enumerate(STATES, start=100))
PAGES = ["/", "/log", "/services/held", "/services/restored", "/changes/110/undo"]
PAGES += [f"/changes/{number}" for number in NUMBERS]
HEAVIEST = 100_000  # bytes, with all that belongs to a page
LOOKING = Path(__file__).with_name("looking.js").read_text().partition("\n")[2].strip()
CUT_OFF = """() => [...document.querySelectorAll(".scroll")]
    .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.outerHTML.slice(0, 100))"""
HIDDEN = """() => {
    const [one] = document.activeElement.getClientRects();
    if (!one || document.activeElement.closest(".undo, .state, header")) return false;
    return Boolean(document.elementFromPoint(one.x + 2, one.y + 2)?.closest(".undo, .state"));
}"""
ALARMED = """() => [...document.querySelectorAll("main *")]
    .some((one) => getComputedStyle(one).color === "rgb(179, 19, 31)")"""
ARTEFACTS = os.environ.get("SUREFOOT_SCREENSHOTS")
HOSTILE = (
    "<script>window.owned=1</script><img src=x onerror=window.owned=1>"
    "\"'><svg onload=window.owned=1>{{7*7}}{% raw %}javascript:window.owned=1 \u202egnp.exe "
    "</pre></title></textarea> &lt;b&gt; \x00\x1b[2J\u2028"
)


def wrong(page: Page, look: str) -> list[str]:
    """What an auditor finds on a page."""
    found: list[str] = page.evaluate(f"{LOOKING}.{look}()")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_every_page_can_be_read(site, reader_of, width: int, scheme: str) -> None:
    """By contrast, by name, by a thumb, and without scrolling sideways."""
    reader = reader_of(site, viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = reader.open("/")
    for path in PAGES:
        page.goto(f"{reader.base}{path}")
        expect(page.locator("h1")).to_be_visible()
        for look in ("unreadable", "unnamed", "tooSmall", "foreign"):
            assert wrong(page, look) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(CUT_OFF) == [], path
        if ARTEFACTS:
            name = f"{path.strip('/').replace('/', '-') or 'board'}-{width}-{scheme}.png"
            page.screenshot(path=Path(ARTEFACTS) / name, full_page=True)


def test_no_page_is_heavy_or_asks_others(site, reader_of) -> None:
    """Under 100 kB with all that belongs to it, and nothing from anywhere else."""
    for path in ("/", "/log", "/services/restored", "/changes/103", "/changes/108"):
        reader = reader_of(site)  # one that has nothing in store
        answers: list[Response] = []
        reader.context.on("response", lambda one, kept=answers: kept.append(one))
        page = reader.open(path)
        expect(page.locator("h1")).to_be_visible()
        assert all(one.url.startswith(reader.base) for one in answers)
        weight = sum(len(one.body()) for one in answers if "/live/" not in one.url)
        assert 10_000 < weight < HEAVIEST, path


def test_red_is_seen_by_its_shape(site, reader_of) -> None:
    """Without any colour each state still has a shape and a word of its own."""
    reader = reader_of(site)
    page = reader.open("/")
    seen = {}
    for number in (100, 102, 103, 107, 108, 110):
        page.goto(f"{reader.base}/changes/{number}")
        shape = page.locator("#state .icon").first.inner_html()
        word = page.locator("#state .word b").inner_text().strip()
        assert word
        seen[number] = shape
    assert len(set(seen.values())) == len(seen)


def test_nothing_is_red_while_users_are_well(site, reader_of) -> None:
    """The undo has the colour of alarm in one mood alone, and nothing else has it in another."""
    reader = reader_of(site)
    page = reader.open("/")
    grounds = {}
    for number, state in NUMBERS.items():
        page.goto(f"{reader.base}/changes/{number}")
        for undo in page.locator(".danger").all():
            shown = undo.evaluate("one => getComputedStyle(one).backgroundColor")
            grounds.setdefault(shown, set()).add(state)
        assert page.evaluate(ALARMED) is (state in {"restoring", "not_restored"}), state
    assert {"restoring", "not_restored"} in grounds.values()
    assert len(grounds) == 2


def test_motion_is_left_out_for_who_asks(site, reader_of) -> None:
    """Nothing moves when the reader's system says so."""
    page = reader_of(site, reduced_motion="reduce").open("/changes/103")
    assert page.evaluate("document.getAnimations().length") == 0


def test_all_of_it_is_there_without_a_script(control: Gallery, site, reader_of) -> None:
    """The page is whole, loads itself anew, and takes an order."""
    page = reader_of(site, java_script_enabled=False).open("/changes/103")
    for part in ("state", "path", "designed", "hurt", "who", "says", "what", "others", "story"):
        expect(page.locator(f"#{part}")).to_be_visible()
    expect(page.locator("#sentence")).to_contain_text("10 % of the requests meet 103")
    expect(page.locator(".copy").first).to_be_hidden()
    expect(page.locator("footer")).to_contain_text("UTC")
    expect(page.get_by_text("Times are your own")).to_be_hidden()
    page.get_by_role("button", name="Undo 41").click()
    expect(page.locator("#sentence")).to_contain_text("All users are on 40 again")
    assert [kind for kind, _ in control.orders].count("undo") == 1


@pytest.mark.parametrize("scripts", [True, False])
def test_the_log_fits_a_desk(control: Gallery, site, reader_of, scripts: bool) -> None:
    """What a change was for is not cut off, not even beside times with their zone."""
    control.show(
        replace(STATES["verified"], number=90, live_until_at=NOW, why="<b>on the quay</b> " * 3)
    )
    size = {"width": 1280, "height": 900}
    page = reader_of(site, java_script_enabled=scripts, viewport=size).open("/log")
    expect(page.locator("td", has_text=" to 20")).to_be_visible()
    wide, seen = page.locator(".scroll").evaluate("it => [it.scrollWidth, it.clientWidth]")
    assert wide <= seen


def test_the_keyboard_alone_is_enough(site, reader_of) -> None:
    """The first stop leads to the page; every order can be reached, and the focus is seen."""
    page = reader_of(site).open("/changes/103")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim().slice(0, 20)"))
        if page.evaluate("document.activeElement === document.body"):
            break  # behind the last one
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
    assert {"Undo 41 (0.400 s)", "The diff", "The last lines of bo"} <= reached


@pytest.mark.parametrize("width", [390, 1200])
def test_what_stays_in_sight_leaves_room_to_read(site, reader_of, width: int) -> None:
    """Far down undo is still there, takes little, and hides nothing that the keyboard reaches."""
    page = reader_of(site, viewport={"width": width, "height": 844}).open("/changes/103")
    undo = page.get_by_role("button", name="Undo 41")
    place = undo.bounding_box()
    page.evaluate("scrollTo(0, 1200)")
    expect(undo).to_be_in_viewport()
    covered = page.evaluate("document.elementFromPoint(innerWidth / 2, 200).closest('#state')")
    assert covered is None
    assert undo.bounding_box()["y"] < place["y"]
    page.keyboard.press("End")
    for _ in range(30):
        page.keyboard.press("Shift+Tab")
        assert page.evaluate(HIDDEN) is False


def spoiled(value: object) -> object:
    """A value with every text in it that is not one of a known few replaced by a hostile one."""
    if isinstance(value, tuple):
        return tuple(map(spoiled, value))
    if is_dataclass(value) and not isinstance(value, type):
        kept = {"phase", "state", "service", "cause", "word", "kind"}
        fresh = {
            one.name: spoiled(getattr(value, one.name))
            for one in fields(value)
            if one.name not in kept
        }
        return replace(value, **fresh)
    return HOSTILE if isinstance(value, str) else value


def test_nothing_that_others_write_becomes_markup(reader_of) -> None:
    """Whatever a commit, a service, a metric or a person says stays text, on every page."""
    control = Gallery()
    for number, name in NUMBERS.items():
        change = replace(STATES[name], number=number, service=name.replace("_", "-"))
        service = replace(spoiled(service_of(change)), name=change.service, live_phase="verified")
        control.show(spoiled(change), service)
    with served(control) as site:
        reader = reader_of(site)
        page = reader.open("/")
        for path in PAGES:
            page.goto(f"{reader.base}{path}")
            expect(page.locator("h1")).to_be_visible()
            assert wrong(page, "foreign") == [], path
            assert page.evaluate("window.owned") is None
            assert "\u202e" not in page.content()
            assert "\x1b" not in page.content()
        page.goto(f"{reader.base}/log?author={HOSTILE.replace('&', '%26')[:150]}")
        assert wrong(page, "foreign") == []
        page.goto(f"{reader.base}/changes/103")
        control.show(replace(control.shown[103], share=0.3, because=HOSTILE + "again"))
        expect(page.locator("#state")).to_contain_text("30 %")
        assert page.evaluate("window.owned") is None
        assert wrong(page, "foreign") == []


def test_the_browser_is_told_to_run_nothing_else(site, reader_of) -> None:
    """A script that got into a page by any way does not run."""
    reader = reader_of(site)
    page = reader.open("/changes/103")
    answer = page.request.get(page.url)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    refused = page.evaluate(
        """() => new Promise((done) => {
            document.addEventListener("securitypolicyviolation",
                (event) => done(event.violatedDirective));
            const script = document.createElement("script");
            script.textContent = "window.owned = 1";
            document.body.append(script);
            setTimeout(() => done("it ran"), 3000);
        })"""
    )
    assert refused.startswith("script-src")
    assert page.evaluate("window.owned") is None
    assert "Content Security Policy" in reader.complaints.pop()


@pytest.mark.parametrize("count", [0, 1, 30])
def test_the_board_holds_few_and_many(reader_of, count: int) -> None:
    """No service, one, and thirty with changes on their way in some: each is there at once."""
    control = Gallery()
    states = list(STATES)
    for number in range(count):
        state = states[number % len(states)] if count > 1 else "verified"
        change = replace(STATES[state], number=200 + number, service=f"service-{number:02}")
        control.show(change)
    with served(control) as site:
        page = reader_of(site).open("/")
        expect(page.locator(".lane")).to_have_count(count)
        said = page.locator("#sentence")
        if count == 0:
            expect(said.locator("code")).to_have_text("surefoot init")
        elif count == 1:
            expect(said).to_contain_text("Nothing needs you. 1 service on verified releases")
        else:
            expect(said).to_contain_text("are hurt now")
            assert page.locator(".lane").first.get_attribute("class") == "lane mood-hurt"
