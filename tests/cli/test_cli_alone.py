"""Commands where no daemon is: each says so, with exit 50 and the line to type."""

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from console import Console, lonely

from surefoot.adapters.envoy.routing import route_configuration
from surefoot.domain.manifest import Address
from surefoot.ports import Front, Routes

__all__ = ["lonely"]  # pytest takes fixtures by name from here


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["ship"],
        ["plan"],
        ["adopt"],
        ["watch", "1"],
        ["why", "1"],
        ["log"],
        ["review"],
        ["accept", "1", "--because", "x"],
        ["hold", "shop", "--because", "x"],
        ["down"],
        ["token", "list"],
    ],
    ids=" ".join,
)
def test_without_a_daemon_nothing_is_known(lonely: Console, command: list[str]) -> None:
    """Exit 50 and the cure, in words and as one JSON object."""
    lonely.commit("a change")
    said = lonely(*command)
    assert (said.code, said.out) == (50, "")
    assert "surefoot up" in said.err
    told = lonely(*command, "--json")
    assert told.code == 50
    assert told.object["error"]["exit_code"] == 50
    assert told.object["error"]["cure"]


def test_undo_without_a_daemon_prints_the_line_that_needs_none(lonely: Console) -> None:
    """The service's name is in it, ready to copy."""
    assert "surefoot give-back shop" in lonely("undo").err
    gone = lonely("undo", "--json", SUREFOOT_URL="http://127.0.0.1:9", SUREFOOT_TOKEN="x")
    assert gone.code == 50
    assert gone.object["error"]["cure"].endswith("surefoot give-back shop")


def test_undo_does_not_wait_for_a_daemon_that_is_frozen(lonely: Console) -> None:
    """One that takes the question and never answers is given up within seconds."""
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        url = f"http://127.0.0.1:{frozen.getsockname()[1]}"
        began = time.monotonic()
        said = lonely("undo", SUREFOOT_URL=url, SUREFOOT_TOKEN="x")
    assert said.code == 50
    assert "surefoot give-back shop" in said.err
    assert time.monotonic() - began < 15


def test_a_daemon_without_a_token_is_not_asked(lonely: Console) -> None:
    """It is said that a key is missing, and who gives one."""
    said = lonely("status", SUREFOOT_URL="http://127.0.0.1:9")
    assert said.code == 50
    assert "SUREFOOT_TOKEN" in said.err


def test_what_is_not_surefoot_is_said_to_be_something_else(lonely: Console) -> None:
    """Another server on that port is no daemon, whatever it answers."""
    with web_server() as url:
        said = lonely("status", SUREFOOT_URL=url, SUREFOOT_TOKEN="x")
    assert said.code == 50
    assert "is not Surefoot" in said.err


@contextmanager
def web_server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()

        def answer() -> None:
            line, _ = listening.accept()
            with line:
                line.recv(65_536)
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://{host}:{port}"
        thread.join()


def test_doctor_works_alone(lonely: Console) -> None:
    """What this host has is said, what is missing with its cure, and exit 1."""
    said = lonely("doctor")
    assert said.code == 1
    for name in ("git", "python", "envoy", "disk", "memory"):
        assert f"  {name}: " in said.out
    assert "WRONG  control plane" in said.out
    assert "surefoot up" in said.out
    found = {one["name"]: one for one in lonely("doctor", "--json").object["findings"]}
    assert not found["control plane"]["ok"]


FRONT = Front("shop", Address("127.0.0.1", 8080), (), "/")


def routes(live: int, candidate: int | None, share: float) -> dict[str, object]:
    """Routes as they are really written."""
    return route_configuration(FRONT, Routes("shop", live, candidate, share, change=candidate), {})


def known(change: int | None) -> dict[str, object]:
    """What a keeper knows of a service whose live release is 41."""
    share = 0.0 if change is None else 0.1
    fallback = routes(41, change, 0.0)
    return {"change": change, "routes": routes(41, change, share), "fallback": fallback}


@contextmanager
def keeper(
    home: Path, answer: dict[str, object], *, change: int | None = 42
) -> Iterator[list[dict[str, object]]]:
    """A keeper's socket with one recorded answer to an order, and what it was told."""
    told: list[dict[str, object]] = []
    (home / "keeper").mkdir(parents=True)
    # A Unix socket's path may have a hundred characters; a test's folder easily has more.
    previous = Path.cwd()
    os.chdir(home / "keeper")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("keeper.sock")
    os.chdir(previous)
    listening.listen()
    state = {"ok": True, "services": {"shop": known(change)}, "journal": []}

    def serve() -> None:
        for _ in range(2):
            line, _ = listening.accept()
            with line, line.makefile("rwb") as both:
                told.append(json.loads(both.readline()))
                reply = state if told[-1]["op"] == "state" else answer
                both.write(json.dumps(reply).encode() + b"\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield told
    thread.join(timeout=20)
    listening.close()


DONE: dict[str, object] = {"ok": True, "seconds": 0.004, "read_back": True}


def test_give_back_speaks_to_the_keeper_alone(lonely: Console) -> None:
    """No daemon; it says who meets the change no more, and what users are on now."""
    with keeper(lonely.home, DONE) as told:
        said = lonely("give-back", "shop", "--because", "the daemon is gone")
    assert said.code == 0
    assert "no user meets 42 any more, and all users are on release 41." in said.out
    assert told[1] == {"op": "give_back", "service": "shop", "why": "the daemon is gone"}


def test_give_back_tells_programs_what_was_exposed(lonely: Console) -> None:
    """One object, with what users are on and what was given back."""
    with keeper(lonely.home, DONE):
        said = lonely("give-back", "shop", "--json")
    assert (said.object["live"], said.object["given_back"]) == (41, 42)


def test_give_back_of_what_is_not_exposed_says_so(lonely: Console) -> None:
    """A change that is live is not undone by it; the line that does it is said."""
    with keeper(lonely.home, DONE, change=None):
        said = lonely("give-back", "shop")
    assert said.code == 0
    assert "Nothing of shop is exposed: all users are on release 41." in said.out
    assert "surefoot undo 41" in said.out


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (
            {"ok": False, "error": "unknown", "says": "The keeper has no routes of shop."},
            30,
            "no routes",
        ),
        ({"ok": True, "seconds": 5.0, "read_back": False}, 20, "did not confirm"),
    ],
)
def test_give_back_tells_a_no_from_a_doubt(
    lonely: Console, answer: dict[str, object], code: int, words: str
) -> None:
    """A refusal is 30; routes that the proxy did not confirm are 20: not yet restored."""
    with keeper(lonely.home, answer):
        said = lonely("give-back", "shop")
    assert said.code == code
    assert words in said.err


def test_give_back_without_a_keeper_says_where_to_type_it(lonely: Console) -> None:
    """The cure names host and user."""
    said = lonely("give-back", "shop")
    assert said.code == 50
    assert "host" in said.err


def ticks(bad: int, seconds: int) -> str:
    """A rollout at a tenth of 200 requests/s, its canary with `bad` of 20 a second."""
    rows: list[dict[str, object]] = [{"t": 0, "share": 0.1}]
    for t in range(1, seconds + 1):
        for arm, wrong, everything in (("canary", bad, 20), ("baseline", 2 * (t % 2), 180)):
            row = {"t": t, "metric": "errors", "kind": "ratio", "arm": arm}
            rows.append({**row, "bad": wrong, "all": everything})
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(("bad", "code", "verdict"), [(10, 10, "worse"), (0, 40, "watching")])
def test_judge_exits_by_its_verdict(lonely: Console, bad: int, code: int, verdict: str) -> None:
    """The same engine on recorded ticks, from standard input and from a file."""
    recorded = ticks(bad, 20)
    said = lonely("judge", "-", "--json", sent=recorded)
    assert (said.code, said.object["verdict"]) == (code, verdict)
    (lonely.folder / "ticks.jsonl").write_text(recorded)
    plain = lonely("judge", "ticks.jsonl")
    assert plain.code == code
    assert plain.out.startswith(verdict.upper())


def test_judge_reads_what_is_compressed(lonely: Console) -> None:
    """The evidence of a settled change is kept so; half of such a file is said to be half."""
    packed = gzip.compress(ticks(10, 20).encode())
    (lonely.folder / "41.jsonl.gz").write_bytes(packed)
    said = lonely("judge", "41.jsonl.gz", "--json")
    assert (said.code, said.object["verdict"]) == (10, "worse")
    assert lonely("judge", "41.jsonl", "--json").object == said.object
    (lonely.folder / "half.gz").write_bytes(packed[: len(packed) // 2])
    half = lonely("judge", "half.gz")
    assert half.code == 2
    assert "is not whole" in half.err


@pytest.mark.parametrize("sent", ["", "not json\n", '{"t": "x"}\n'])
def test_evidence_that_cannot_be_read_is_2(lonely: Console, sent: str) -> None:
    """The line is named, in words and as JSON."""
    said = lonely("judge", "-", sent=sent)
    assert said.code == 2
    assert said.err
    assert lonely("judge", "-", "--json", sent=sent).object["error"]["exit_code"] == 2
    assert lonely("judge", "no-such-file").code == 2


def test_a_command_that_is_not_understood_is_2(lonely: Console) -> None:
    """Unknown commands and options say how to find the right ones; as JSON too."""
    assert "--help" in lonely("wat").err
    assert lonely("ship", "--fast").code == 2
    told = lonely("ship", "--fast", "--json")
    assert (told.code, told.object["error"]["exit_code"]) == (2, 2)


def test_client_commands_load_neither_engine_nor_adapters() -> None:
    """The whole tree of a client's commands loads without what would make it slow."""
    script = (
        "import sys; from surefoot.cli.main import COMMANDS, surefoot\n"
        "slow = {'surefoot.engine', 'surefoot.adapters', 'aiohttp', 'sqlalchemy', 'starlette',"
        " 'uvicorn', 'rich'}\n"
        "for name in COMMANDS: surefoot.get_command(None, name)\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_init_writes_a_manifest_once_and_names_the_next_command(lonely: Console) -> None:
    """What is there is left alone; without a daemon the way on is said all the same."""
    manifest = lonely.folder / "surefoot.toml"
    manifest.unlink()
    (lonely.folder / "app.py").write_text("print('hello')\n")
    said = lonely("init")
    assert said.code == 0, said
    assert "Next: surefoot up" in said.out
    written = manifest.read_text()
    assert "[service]" in written
    told = lonely("init", "--json").object
    assert (told["written"], told["known"]) == (False, False)
    assert manifest.read_text() == written
