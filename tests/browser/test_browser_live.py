"""Open pages in a real browser: they follow, they take orders, and they come back."""

import re
import socket
from dataclasses import replace

import pytest
from gallery import STATES, Gallery
from playwright.sync_api import expect
from recorded import served

from surefoot.engine.status import PartStatus

GOING = 103  # 10 % of the requests meet it
VERIFIED = 110


def out_of(state: str, number: int = GOING, service: str = "rolling-out"):
    """The change that is going out, in another state."""
    return replace(STATES[state], number=number, service=service, why="the one that goes")


def test_what_happens_is_on_the_open_page(control: Gallery, site, reader_of) -> None:
    """The sentence, the title, the icon and the undo follow without a reload."""
    page = reader_of(site).open(f"/changes/{GOING}")
    expect(page.locator("#sentence")).to_contain_text("10 % of the requests meet 103")
    page.evaluate("window.sameDocument = true")
    control.show(out_of("restored"))
    expect(page.locator("#sentence")).to_contain_text("Users are well again since")
    expect(page.locator("#undo")).to_contain_text("Nothing to undo")
    expect(page).to_have_title(re.compile("Users are well again"))
    assert "icon-restored" in page.locator("#icon").get_attribute("href")
    assert page.locator("main > section").nth(1).get_attribute("id") == "hurt"
    assert page.evaluate("window.sameDocument")


def test_two_readers_see_each_other_and_the_same(control: Gallery, site, reader_of) -> None:
    """Who watches is on both pages; what happens, too; and who leaves is gone."""
    ann = reader_of(site).open(f"/changes/{GOING}")
    bo = reader_of(site, "secret-of-bo").open(f"/changes/{GOING}")
    for page in (ann, bo):
        expect(page.locator("#who")).to_contain_text("Ann Example, Bo Example")
    control.show(out_of("verified"))
    for page in (ann, bo):
        expect(page.locator("#sentence")).to_contain_text("operates as designed")
    bo.close()
    expect(ann.locator("#who")).not_to_contain_text("Bo Example")


def test_undo_is_one_press_while_users_meet_it(control: Gallery, site, reader_of) -> None:
    """The order is given, and the page says what became of it."""
    page = reader_of(site).open(f"/changes/{GOING}")
    page.get_by_role("button", name="Undo 41").click()
    expect(page.locator("#sentence")).to_contain_text("All users are on 40 again")
    assert [kind for kind, _ in control.orders].count("undo") == 1


def test_undo_asks_once_more_when_nothing_is_on_its_way(control: Gallery, site, reader_of) -> None:
    """A live release that is proven is not undone by a slip of the hand."""
    page = reader_of(site).open(f"/changes/{VERIFIED}")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("h1")).to_contain_text("Undo 41")
    assert "undo" not in dict(control.orders)
    page.get_by_role("link", name="No, leave it").click()
    expect(page.locator("#sentence")).to_contain_text("operates as designed")
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    expect(page).to_have_url(re.compile(rf"/changes/{VERIFIED}$"))
    assert "undo" in dict(control.orders)


def test_u_arms_and_u_again_presses(control: Gallery, site, reader_of) -> None:
    """One key by itself does nothing, also not later; two in a row undo."""
    page = reader_of(site).open(f"/changes/{GOING}")
    armed = page.locator("[data-armed]")
    page.keyboard.press("u")
    expect(armed).to_have_count(1)
    expect(page.locator(".armed")).to_contain_text("Press u again")
    expect(armed).to_have_count(0, timeout=8_000)
    assert "undo" not in dict(control.orders)
    page.keyboard.press("u")
    page.keyboard.press("u")
    expect(page.locator("#sentence")).to_contain_text("All users are on 40 again")


def test_a_key_that_is_typed_is_no_order(control: Gallery, site, reader_of) -> None:
    """A reason with u in it arms nothing, and survives what happens meanwhile."""
    page = reader_of(site).open("/changes/105")
    reason = page.get_by_label("Why you answer for it")
    reason.press_sequentially("uu, usual night")
    expect(page.locator("[data-armed]")).to_have_count(0)
    control.show(replace(control.shown[105], share=0.6))
    expect(page.locator("#state")).to_contain_text("60 %")
    expect(reason).to_have_value("uu, usual night")
    expect(reason).to_be_focused()


def test_what_is_opened_stays_open(control: Gallery, site, reader_of) -> None:
    """New evidence does not fold the diff away under somebody's eyes."""
    page = reader_of(site).open(f"/changes/{GOING}")
    page.locator("#outputs summary").click()
    expect(page.locator("#outputs pre").first).to_be_visible()
    control.show(replace(control.shown[GOING], share=0.2))
    expect(page.locator("#state")).to_contain_text("20 %")
    expect(page.locator("#outputs pre").first).to_be_visible()


def test_what_is_typed_survives_what_comes_before_it(control: Gallery, site, reader_of) -> None:
    """Somebody else's question stands above the form in which this one is being written."""
    page = reader_of(site).open("/changes/100")
    question = page.get_by_label("Ask its author")
    question.press_sequentially("Why now")
    control.show(replace(control.shown[100], asked=("Bo Example asks: what for?",)))
    expect(page.locator("#who")).to_contain_text("Bo Example asks: what for?")
    expect(question).to_have_value("Why now")
    expect(question).to_be_focused()


def test_what_is_folded_stays_folded(control: Gallery, site, reader_of) -> None:
    """A check that failed is open until its reader closes it, and what is open stays as it is."""
    rejected = next(number for number, one in control.shown.items() if one.phase == "rejected")
    page = reader_of(site).open(f"/changes/{rejected}")
    said = page.locator("#said-checks")
    expect(said).to_have_attribute("open", "")
    said.locator("summary").click()
    page.locator("#diff summary").click()
    built = PartStatus("build", "failed", 1.0, "no such file")
    known = control.shown[rejected]
    for size in (replace(known.size, added=77), replace(known.size, added=78)):
        parts = (*known.parts, built)
        control.show(replace(known, size=size, parts=parts))
        expect(page.locator("#what")).to_contain_text(f"+{size.added}")
    expect(page.locator("#said-build")).to_have_attribute("open", "")
    assert not said.evaluate("(one) => one.open")
    assert page.locator("#diff").evaluate("(one) => one.open")


def test_trouble_takes_no_focus_away(control: Gallery, site, reader_of) -> None:
    """The sections change places around the reader."""
    page = reader_of(site).open(f"/changes/{GOING}")
    page.locator("#state .word a").focus()
    control.show(out_of("restoring"))
    expect(page.locator("main > section").nth(1)).to_have_attribute("id", "hurt")
    expect(page.locator("#state .word a")).to_be_focused()


def test_what_is_announced_does_not_chatter(control: Gallery, site, reader_of) -> None:
    """Counts and seconds are shown; announced are the state, the share, and that users are hurt."""
    page = reader_of(site).open(f"/changes/{GOING}")
    live = page.locator("#state [role=status]").first
    expect(live).to_have_text("rolling-out 103: rolling out, 10 %")
    page.evaluate(
        """() => {
            window.spoken = [];
            const heard = (changes) => spoken.push(...changes.map((one) => one.target.nodeName));
            for (const one of document.querySelectorAll("[role=status], [role=alert]"))
                new MutationObserver(heard).observe(
                    one, {characterData: true, childList: true, subtree: true});
        }"""
    )
    control.show(replace(control.shown[GOING], forecast="Verified in about 20 s more."))
    expect(page.locator("#sentence")).to_contain_text("about 20 s more")
    assert page.evaluate("spoken") == []
    control.show(out_of("restoring"))
    alert = page.locator("#state [role=alert]")
    expect(alert).to_have_text("rolling-out 103: users are hurt")
    expect(live).to_have_text("")


def test_a_link_that_is_called_a_button_is_pressed_like_one(site, reader_of) -> None:
    """By Enter and by the space bar."""
    page = reader_of(site).open(f"/changes/{VERIFIED}")
    page.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Space")
    expect(page.locator("h1")).to_contain_text("Undo 41")


def test_a_refusal_is_said_beside_the_button(control: Gallery, site, reader_of) -> None:
    """The reason and the cure stand where the order was given, and stay there."""
    reader = reader_of(site)
    page = reader.open("/changes/100")
    page.get_by_role("button", name="Approve").click()
    said = page.locator("#who [role=alert]")
    expect(said).to_contain_text("their own")
    assert "403" in reader.complaints.pop()
    control.show(replace(control.shown[100], position=1))
    expect(page.locator("#path")).to_contain_text("Place 1")
    expect(said).to_be_visible()


def test_a_lost_connection_is_said_and_heals(control: Gallery, reader_of) -> None:
    """How old it is stands wherever one reads; a new daemon on the address brings it up to date."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with served(control, port) as site:
        page = reader_of(site).open(f"/changes/{GOING}")
        expect(page.locator("#who")).to_contain_text("Ann Example")
        page.evaluate("window.sameDocument = true")
    lost = page.locator("#connection")
    expect(lost).to_contain_text(re.compile(r"Not connected: this is \d+ s old"))
    expect(page.locator("#announced")).to_have_text("Not connected")
    page.locator("#story").scroll_into_view_if_needed()
    page.keyboard.press("End")
    expect(page.locator(".bar .home")).not_to_be_in_viewport()
    expect(lost).to_be_in_viewport()
    control.show(out_of("verified"))
    with served(control, port):
        expect(page.locator("#sentence")).to_contain_text("operates as designed")
        expect(lost).to_be_hidden()
    assert page.evaluate("window.sameDocument")


def test_a_closed_laptop_wakes_up(control: Gallery, site, reader_of) -> None:
    """A page whose time stood still looks anew, although no connection was seen to end."""
    page = reader_of(site).open(f"/changes/{GOING}")
    expect(page.locator("#who")).to_contain_text("Ann Example")
    page.evaluate("source.onmessage = null; heardAt = 0;")  # nothing of it arrives any more
    control.show(out_of("verified"))
    expect(page.locator("#sentence")).to_contain_text("operates as designed")
    expect(page.locator("#connection")).to_be_hidden()


@pytest.mark.parametrize(("zone", "hours"), [("Asia/Tokyo", 9), ("America/Lima", -5)])
def test_times_are_the_readers_own(site, reader_of, zone: str, hours: int) -> None:
    """With seconds; UTC is there on hover."""
    page = reader_of(site, timezone_id=zone).open("/changes/108")
    time = page.locator("#sentence time")
    utc = re.search(r" (\d\d):(\d\d:\d\d) UTC$", time.get_attribute("title"))
    assert utc
    expect(time).to_have_text(f"{(int(utc[1]) + hours) % 24:02}:{utc[2]}")
    expect(page.get_by_text("Times are your own")).to_be_visible()


def test_clocks_that_differ_are_mentioned(site, reader_of) -> None:
    """A browser that is an hour ahead would tell wrong ages."""
    reader = reader_of(site)
    page = reader.open("/")
    expect(page.locator("#connection")).to_be_hidden()
    ahead = reader.context.new_page()
    ahead.add_init_script("const real = Date.now; Date.now = () => real() + 3600e3;")
    ahead.goto(f"{reader.base}/")
    expect(ahead.locator("#connection")).to_contain_text("clock is 60 min ahead of the server's")
    expect(ahead.locator("[data-shape=ago]").first).to_have_text(re.compile(r"^2\d min ago$"))
