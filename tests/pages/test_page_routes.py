"""What each address of the pages answers, over real HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from re import findall
from time import monotonic

import pytest
from gallery import NOW, STATES, Gallery, gallery
from recorded import BO, Served, served

from surefoot.engine.status import CoverageStatus, PartStatus

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def control() -> Gallery:
    """Every state of a change."""
    return gallery()


@pytest.fixture(scope="module")
def site(control: Gallery) -> Iterator[Served]:
    """The pages of that control plane."""
    with served(control) as address:
        yield address


BEYOND = 2**63


@pytest.mark.parametrize("path", [f"/changes/{BEYOND}", f"/changes/{BEYOND}/undo", "/changes/7"])
def test_what_is_not_there_is_said_so(site: Served, path: str) -> None:
    """A number of any length leads to a plain no."""
    status, page, _ = site.send("GET", path)
    assert status == 404
    assert "<h1>" in page


@pytest.mark.parametrize(
    ("order", "form"),
    [
        ("undo", b"because=odd"),
        ("accept", b"because=odd"),
        ("ask", b"question=odd"),
        ("approve", b""),
    ],
)
def test_an_order_on_a_first_release_means_that_of_its_service(
    site: Served, control: Gallery, order: str, form: bytes
) -> None:
    """Number 0 alone would not tell which; and nothing else of that service is meant."""
    control.shown[0] = replace(STATES["getting_ready"], number=0, service="held", shipper=str(BO))
    _, page, _ = site.send("GET", "/changes/0?service=held")
    assert "surefoot undo 0 --service held" in page
    assert site.send("POST", f"/changes/0/{order}", form, headers=FORM)[0] == 404
    status, _, answer = site.send("POST", f"/changes/0/{order}?service=held", form, headers=FORM)
    assert (status, answer.getheader("Location")) == (303, "/changes/0?service=held")
    assert control.orders[-1][0] == order
    assert control.ledger[-1].change == 0


def test_to_accept_has_its_command_too(site: Served) -> None:
    """Like each other order of a page."""
    _, page, _ = site.send("GET", "/changes/105")
    assert "<code>surefoot accept 105 --because &#34;...&#34;</code>" in page


def test_what_came_before_is_found_however_much_came_since(site: Served, control: Gallery) -> None:
    """Of a change of last week, too, it is told what users met in the half hour before."""
    old, week = STATES["restored"], 7 * 86_400.0
    for number, minutes in ((50, 20.0), (51, 0.0)):
        at = NOW - week - 60 * minutes
        times = {"proposed_at": at - 30.0, "exposed_at": at, "ended_at": at + 14.0}
        control.shown[number] = replace(old, number=number, service="held", why="of old", **times)
    for number in range(1000, 1300):
        control.shown[number] = replace(STATES["verified"], number=number, service="held")
    _, page, _ = site.send("GET", "/changes/51")
    _, _, others = page.partition('id="others"')
    assert '<a href="/changes/50">' in others.partition("</section>")[0]
    for number in range(1000, 1300):
        del control.shown[number]


def test_the_story_goes_on_however_long_it_is(site: Served, control: Gallery) -> None:
    """What happened last stands first, behind thousands of entries."""
    service = control.shown[103].service
    for _ in range(1100):
        control._record("waits", "telemetry", BO, service, 103)
    control._record("the end", "of it", BO, service, 103)
    _, page, _ = site.send("GET", "/changes/103")
    first = page.partition('<ol class="story"')[2].partition("</li>")[0]
    assert "the end" in first
    assert page.partition('<ol class="story"')[2].count("<li>") == 200


def test_without_a_script_a_page_can_stand_still(site: Served) -> None:
    """It loads itself anew, but not under somebody who writes."""
    refresh = '<noscript><meta http-equiv="refresh" content="10"></noscript>'
    _, page, _ = site.send("GET", "/changes/105")
    assert refresh in page
    assert 'href="/changes/105?still="' in page
    _, page, _ = site.send("GET", "/changes/105?still=")
    assert refresh not in page
    _, page, _ = site.send("GET", "/changes/0?service=held")
    assert 'href="/changes/0?service=held&amp;still="' in page


def test_what_is_old_is_dated_in_previews_too(site: Served, control: Gallery) -> None:
    """The title of a page of long ago, and the page itself, name the day."""
    control.shown[52] = replace(STATES["withdrawn"], number=52, service="held", ended_at=1e9)
    _, page, _ = site.send("GET", "/changes/52")
    assert "<title>held 52: No user met 52: withdrawn at 2001-09-09 01:46 UTC" in page
    assert ">2001-09-09 01:46 UTC</time>" in page


def test_a_page_that_stands_open_ends_with_its_sign_in(site: Served, control: Gallery) -> None:
    """Nobody goes on reading whose key was closed: the stream ends within 5 s."""
    connection = HTTPConnection(*site.address, timeout=20)
    headers = {"Authorization": "Bearer secret-of-bo"}
    connection.request("GET", "/live/changes/104", headers=headers)
    stream = connection.getresponse()
    assert stream.readline().startswith(b"id: ")
    closed_at = monotonic()
    bo = next(key for key, (_, person) in control.keys.items() if person == BO)
    kept = control.keys.pop(bo)
    try:
        while stream.readline() and monotonic() - closed_at < 10.0:
            pass
        assert monotonic() - closed_at < 5.0
    finally:
        control.keys[bo] = kept
        connection.close()


def test_a_stream_that_is_asked_for_its_head_alone_is_not_kept(site: Served) -> None:
    """Nothing follows what has no body."""
    connection = HTTPConnection(*site.address, timeout=10)
    for _ in range(2):
        connection.request("HEAD", "/live/", headers={"Authorization": "Bearer secret-of-bo"})
        answer = connection.getresponse()
        assert answer.read() == b""
        assert answer.getheader("Content-Type", "").startswith("text/event-stream")
    connection.close()


def test_a_latency_names_the_bounds_that_its_counts_are_of(site: Served) -> None:
    """What is slow is nothing without "slower than what", and each arm has its own bound."""
    _, page, _ = site.send("GET", "/changes/103")
    row = page.partition('<th scope="row">latency</th>')[2].partition("</tr>")[0]
    assert "31 of 900 over 0.25 s" in row
    assert "243 of 8,100 over 0.2 s" in row
    row = page.partition('<th scope="row">errors</th>')[2].partition("</tr>")[0]
    assert "over" not in row


def test_nothing_is_watched_that_nobody_meets_any_more(site: Served, control: Gallery) -> None:
    """What was undone before its verdict is not said to need so many seconds more."""
    rolling = STATES["rolling_out"]
    undone = replace(rolling, number=55, service="held", phase="restored", share=0.0, final=True)
    for change, goes_on in ((rolling, True), (replace(undone, cause="person"), False)):
        control.shown[55] = replace(change, number=55, service="held")
        _, page, _ = site.send("GET", "/changes/55")
        hurt = page.partition('id="hurt"')[2].partition("</section>")[0]
        assert ("40 s more" in hurt) is goes_on
        assert ("watching</td>" in hurt) is goes_on
        assert ("Its watch ended before there was a verdict." in hurt) is not goes_on
    del control.shown[55]


def test_untested_lines_are_shown_with_what_the_change_is(site: Served) -> None:
    """A sentence, the lines of each file, what is left out, and which report is missing."""
    _, page, _ = site.send("GET", "/changes/103")
    what = page.partition('id="what"')[2].partition("</section>")[0]
    assert "6 of 38 added lines that can run were run by no check" in what
    assert "<li><code>export/csv.py</code>: 12-14</li>" in what
    assert "<li><code>&lt;script&gt;.py</code>: 20</li>" in what
    assert "<li>and 2 lines more</li>" in what
    assert "<p>The coverage report of check slow is not there: cov/lcov.info.</p>" in what


def test_of_lines_that_nobody_counts_nothing_is_said(site: Served, control: Gallery) -> None:
    """Where no check leaves a report; where every line was run there is a sentence and no list."""
    control.shown[58] = replace(STATES["verified"], number=58, service="held", coverage=None)
    _, page, _ = site.send("GET", "/changes/58")
    assert "can run" not in page
    assert "coverage" not in page
    says = "Every added line that can run was run by a check."
    tested = CoverageStatus(says, can_run=38, untested=0, files=(), left_out=0, unread=())
    control.shown[58] = replace(STATES["verified"], number=58, service="held", coverage=tested)
    _, page, _ = site.send("GET", "/changes/58")
    assert f"<p>{says}</p>" in page
    assert 'class="untested"' not in page
    del control.shown[58]


@pytest.mark.parametrize(
    ("review", "says"),
    [
        (PartStatus("review", "open", None, ""), "nobody yet"),
        (PartStatus("review", "done", 0.0, "not asked for before exposure"), "not asked for"),
    ],
)
def test_who_reviewed_is_not_awaited_where_nobody_was_asked(
    site: Served, control: Gallery, review: PartStatus, says: str
) -> None:
    """A review that is off is not one that is still to come."""
    control.shown[53] = replace(STATES["verified"], number=53, service="held", parts=(review,))
    _, page, _ = site.send("GET", "/changes/53")
    assert says in page.partition("<dt>Reviewed</dt>")[2].partition("</dd>")[0]


def test_what_cannot_be_undone_is_not_asked_about(site: Served) -> None:
    """A confirmation without anything to confirm has no button."""
    _, page, _ = site.send("GET", "/changes/108/undo")
    assert "Nothing to undo: all users are on 40" in page
    assert '<button class="danger"' not in page
    _, page, _ = site.send("GET", "/changes/110/undo")
    assert '<button class="danger" data-key="u">Undo 41' in page
    assert "All users go from 110 back to 40, and it ends." in page
    _, page, _ = site.send("GET", "/changes/103/undo")
    assert "10 % of users go from 103 back to 40" in page
    _, page, _ = site.send("GET", "/changes/100/undo")
    assert "No user has met 100: it leaves the lane, and nothing else changes." in page


def test_a_service_tells_what_its_undo_undoes(site: Served, control: Gallery) -> None:
    """Beside a placebo it is the live release: the confirmation is about that."""
    was = control.known["rolling-out"]
    undo = replace(was.undo, possible=True, says="Undo 110", number=110)
    control.known["rolling-out"] = replace(was, undo=undo)
    _, page, _ = site.send("GET", "/services/rolling-out/undo")
    control.known["rolling-out"] = was
    assert "All users go from 110 back to 40" in page


def test_what_users_meet_within_a_fix_looks_as_that_does(site: Served, control: Gallery) -> None:
    """A change that its fix carries is not shown as one that nobody has met."""
    carried = replace(STATES["queued"], number=54, service="rolling-out", carried_by=103)
    control.shown[54] = carried
    _, page, _ = site.send("GET", "/changes/54")
    assert 'data-mood="going"' in page
    assert "<b>within 103</b>" in page
    control.shown[54] = replace(carried, carried_by=102)
    _, page, _ = site.send("GET", "/changes/54")
    assert 'data-mood="waiting"' in page
    assert "<b>queued</b>" in page


@pytest.mark.parametrize(
    ("held", "awaits_fix", "orders"),
    [
        (None, (), ["hold"]),
        ("market day", (), ["resume"]),
        (None, (41,), ["resume", "hold"]),
        ("market day", (41,), ["resume"]),
    ],
)
def test_a_lane_that_waits_for_a_fix_can_be_held_as_well(
    site: Served, control: Gallery, held: str | None, awaits_fix: tuple[int, ...], orders: list[str]
) -> None:
    """A fix goes on in it: only what is held already is not held again; each line stands once."""
    line = 'surefoot resume held --because "..."'
    was = control.known["held"]
    control.known["held"] = replace(
        was, held_because=held, awaits_fix=awaits_fix, next=(line,) if held else ()
    )
    _, page, _ = site.send("GET", "/services/held")
    control.known["held"] = was
    assert findall(r'action="/services/held/(hold|resume)"', page) == orders
    assert page.count("<code>surefoot resume held ") == orders.count("resume")
