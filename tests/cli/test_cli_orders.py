"""`undo`, `accept`, `hold`, `resume`, `review`, `status`, `why`, `log`, `token`."""

import os
import pty

import pytest
from console import Console, console

__all__ = ["console"]  # pytest takes fixtures by name from here


@pytest.fixture
def shipped(console: Console) -> Console:
    """One change is out, at a tenth of the requests."""
    console.commit("stays out")
    console("ship", "--detach")
    return console


def test_undo_gives_back_and_says_so(shipped: Console) -> None:
    """It waits until the service is restored: exit 0, each new sentence once."""
    said = shipped("undo", "1", "--because", "I saw it")
    assert said.code == 0, said
    assert said.out.splitlines()[:2] == ["Change 1 is restoring.", "Change 1 is restored."]
    assert shipped("why", "1", "--json").object["ledger"][-1]["kind"] == "undo"


def test_a_second_undo_says_that_there_is_nothing(shipped: Console) -> None:
    """It is no error, and changes nothing."""
    shipped("undo", "1")
    said = shipped("rollback", "1")
    assert said.code == 0
    assert said.out.startswith("Nothing to undo: all users are on 0.")


def test_undo_may_be_left_to_itself(shipped: Console) -> None:
    """Detached, the order is all that is waited for."""
    assert shipped("undo", "1", "--detach", "--json").object["phase"] != "restored"


def test_undo_without_a_number_is_that_of_the_folder(shipped: Console) -> None:
    """What is exposed or live in this service; elsewhere the service is named."""
    assert shipped("undo", "--json").object["phase"] == "restored"
    outside = Console(shipped.home, shipped.home)
    assert outside("undo", "--service", "shop").code == 0
    assert outside("undo").code == 0, "there is only one service that it can mean"


def test_undo_of_what_is_not_there_is_refused(shipped: Console) -> None:
    """Unknown numbers are said, exit 30."""
    said = shipped("undo", "99")
    assert said.code == 30
    assert "There is no change 99." in said.err


def test_accept_wants_a_reason(shipped: Console) -> None:
    """Without one it is not understood; with one it is on record and never verified."""
    assert shipped("accept", "1").code == 2
    said = shipped("accept", "1", "--because", "we looked at every order")
    assert said.code == 0
    assert "Accepted." in said.out
    assert "verified" not in said.out


def test_hold_and_resume(shipped: Console) -> None:
    """A held lane says why, and the line that opens it again."""
    said = shipped("hold", "shop", "--because", "market day")
    assert said.code == 0
    assert "Held: market day." in said.out
    assert 'Next: surefoot resume shop --because "..."' in said.out
    assert "Held" not in shipped("resume", "--because", "it is over").out


def test_a_hold_may_have_an_end(shipped: Console) -> None:
    """It is said when; a span that is none is not understood."""
    said = shipped("hold", "--because", "market day", "--for", "2h", TZ="UTC")
    assert said.code == 0, said
    assert "Held until 1970-01-12 15:46: market day." in said.out
    for span in ("2", "0h", "soon", "30d"):
        told = shipped("hold", "--because", "market day", "--for", span)
        assert told.code in {2, 30}, told
        assert "hold" not in told.out


def test_nobody_approves_their_own(shipped: Console) -> None:
    """The refusal names who can."""
    said = shipped("review", "1", "--approve")
    assert said.code == 30
    assert "Ask bo@example.org." in said.err


def test_a_reviewer_reads_asks_and_approves(shipped: Console) -> None:
    """The queue, the diff's summary, a question, a yes: each by the reviewer's own token."""
    bo = {"SUREFOOT_TOKEN": "secret-of-bo"}
    queue = shipped("review", **bo)
    assert "stays out" in queue.out
    read = shipped("review", "1", **bo)
    for part in ("+38 -12, 3 files", "prices.py", "git diff ", "surefoot review 1 --approve"):
        assert part in read.out
    assert shipped("review", "1", "--ask", "In winter too?", **bo).code == 0
    assert shipped("review", "1", "--approve", "--json", **bo).object["approved_by"]
    assert shipped("review", "1", "--approve", "--ask", "x", **bo).code == 2
    assert shipped("review", "--approve", **bo).code == 2


def test_an_empty_queue_says_so(shipped: Console) -> None:
    """Nothing to review is a sentence too."""
    assert "Nothing waits for your yes." in shipped("review").out


def test_status_answers_in_sentences(shipped: Console) -> None:
    """What is live, what is seen, the way back."""
    said = shipped("status")
    assert said.code == 0
    assert "shop: release 0 is live." in said.out
    assert "200.0 requests/s, 1 % errors" in said.out
    assert shipped("where", "shop", "--json").object["name"] == "shop"
    assert shipped("status", "none").code == 30


def test_why_answers_with_the_evidence(shipped: Console) -> None:
    """The sentence, the evidence in numbers, and what happened last."""
    shipped("watch", "1", "--service", "none")
    for _ in range(3):  # each look takes the recorded change one step further
        shipped("why", "1")
    said = shipped("why", "1")
    assert said.code == 0
    for part in ("errors need 40 s more", "3.5 of the 100", "old      1 %", "Ann Example: ship"):
        assert part in said.out, said.out
    lines = said.out.splitlines()
    assert "  errors: the new release's rate is x0.8 to x1.3 of the baseline's (95 %)." in lines
    assert f"  {'memory':<18} old    9e+07   new  1.2e+08   higher (a gauge: it advises)" in lines
    assert "  Mind: errors: a warning" in lines
    assert "  not seen yet: memory falls by 10%: 9e+07 to 1.2e+08" in lines


def test_log_is_one_line_a_change(shipped: Console) -> None:
    """Newest first; every filter is taken."""
    shipped.commit("ends rejected")
    shipped("ship")
    lines = shipped("log").out.splitlines()
    assert [line.split()[0] for line in lines] == ["2", "1"]
    assert "rejected" in lines[0]
    assert "+38 -12" in lines[0]
    assert "harmed 2" in lines[1]
    filters = ["--since", "2h", "--author", "a", "--outcome", "restored", "--path", "x"]
    assert shipped("log", *filters, "--at", "2026-05-01T10:00", "--service", "shop").code == 0
    assert shipped("log", "--since", "soon").code == 2


def test_a_token_for_a_colleague(shipped: Console) -> None:
    """Shown once, usable, listed without its secret, closed for good."""
    made = shipped("token", "new", "Cy Example <cy@example.org>", "--json").object
    key = {"SUREFOOT_TOKEN": made["secret"]}
    assert shipped("status", **key).code == 0
    listed = shipped("token", "list").out
    assert "Cy Example <cy@example.org>" in listed
    assert made["secret"] not in listed
    assert "is closed" in shipped("token", "revoke", str(made["token"]["id"])).out
    refused = shipped("status", "--json", **key)
    assert refused.code == 50, "a closed key tells nothing"
    assert refused.object["error"]["exit_code"] == 50
    assert shipped("token", "new", "nobody").code == 30
    assert shipped("token", "revoke", "77").code == 30


def test_nobody_is_taken_off_the_air_unasked(shipped: Console) -> None:
    """Without a terminal to ask at it is refused, with whose users are meant and how to mean it."""
    said = shipped("down", "--all")
    assert said.code == 30
    assert "shop: 200.0 requests/s on 127.0.0.1:8080" in said.err
    assert "surefoot down --all --yes" in said.err
    assert shipped("status").code == 0
    assert shipped("down", "--all", "--yes").code == 0
    assert shipped("status").code == 50


@pytest.mark.parametrize(("answer", "code"), [("n\n", 30), ("\n", 30), ("y\n", 0)])
def test_somebody_at_a_terminal_is_asked(shipped: Console, answer: str, code: int) -> None:
    """Only a yes ends anything."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "w", encoding="utf-8") as typed, os.fdopen(theirs, "rb") as terminal:
        typed.write(answer)
        typed.flush()
        said = shipped("down", "--all", terminal=terminal)
    assert said.code == code
    assert "shop: 200.0 requests/s" in said.err
    assert "Do you mean it?" in said.err
    assert (shipped("status").code == 50) is (code == 0)


def test_down_says_what_it_did(shipped: Console) -> None:
    """It answers in sentences and returns when the control plane is gone."""
    said = shipped("down")
    assert said.code == 0
    assert "Users stay served." in said.out
    assert shipped("status").code == 50
