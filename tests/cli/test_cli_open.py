"""`surefoot open`: the link that it prints, what opens it, and the QR code for a phone."""

import contextlib
import json
import re
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from console import Console, console
from test_cli_live import on_a_terminal

from surefoot.cli.opening import address_for
from surefoot.domain.errors import Refused

__all__ = ["console"]  # pytest takes fixtures by name from here

NO_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}


def port_of(console: Console) -> int:
    address = json.loads((console.home / "daemon.json").read_text())["address"]
    return int(address.rpartition(":")[2])


def follow(console: Console, address: str) -> tuple[int, str | None]:
    """What a browser is answered at an address whose name leads to this host."""
    parts = urlsplit(address)
    line = HTTPConnection("127.0.0.1", port_of(console), timeout=20)
    line.request("GET", f"{parts.path}?{parts.query}", headers={"Host": parts.netloc})
    answer = line.getresponse()
    answer.read()
    line.close()
    return answer.status, answer.getheader("Location")


def test_what_is_up_elsewhere_is_not_said_to_listen_where_it_was_told(console: Console) -> None:
    """A phone that still cannot reach it is not a riddle: the line that moves it stands there."""
    here = f"127.0.0.1:{port_of(console)}"
    for listen, moves in ((here, False), ("0.0.0.0:7070", True)):
        said = console("up", "--listen", listen)
        assert (said.code, said.err) == (0, "")
        assert said.out.startswith(f"Surefoot is up already at http://{here} ")
        assert (f"surefoot down && surefoot up --listen {listen}" in said.out) is moves


@pytest.mark.parametrize(
    ("where", "leads"),
    [
        ([], "/"),
        (["41"], "/changes/41"),
        (["/log?outcome=restored&limit=3"], "/log?outcome=restored&limit=3"),
        (["/services/caf\u00e9"], "/services/caf%C3%A9"),
    ],
)
def test_the_address_that_is_printed_signs_in(
    console: Console, where: list[str], leads: str
) -> None:
    """It has a name of its own for this host, and leads to the page that was asked for."""
    said = console("open", *where, **NO_DISPLAY)
    assert (said.code, said.err) == (0, "")
    address, tells = said.out.splitlines()
    assert address.startswith(f"http://surefoot.localhost:{port_of(console)}/sign-in?code=")
    assert "once, within 2 minutes" in tells
    assert follow(console, address) == (303, leads)
    assert follow(console, address)[0] == 403


def test_a_browser_is_opened_where_there_is_one(console: Console, tmp_path: Path) -> None:
    """It gets the address that is printed; `--print` and programs open nothing."""
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {seen}\n')
    browser.chmod(0o755)
    said = console("open", BROWSER=str(browser))
    assert seen.read_text() == said.out.splitlines()[0] + "\n"
    for quiet in ("--print", "--json"):
        assert console("open", quiet, BROWSER=str(browser)).code == 0
    assert len(seen.read_text().splitlines()) == 1


def test_a_program_gets_the_address_and_its_end(console: Console) -> None:
    """One object: where, the code in it, and until when."""
    told = console("open", "41", "--json").object
    query = parse_qs(urlsplit(told["address"]).query)
    assert query == {"code": [told["code"]], "to": ["/changes/41"]}
    assert told["expires_at"] == 1_000_120.0


@pytest.mark.parametrize("where", ["//evil.example", "change", "41x", "https://evil.example"])
def test_what_is_no_page_is_said(console: Console, where: str) -> None:
    """It is a mistake of usage, and no link is made."""
    said = console("open", where)
    assert said.code == 2
    assert "neither a change's number nor a path" in said.err


# --- a phone -----------------------------------------------------------------------------------


def squares(drawn: str) -> list[list[bool]]:
    """The dark modules of a code that is drawn in half blocks, with what stands around it."""
    halves = {" ": (1, 1), "\u2580": (0, 1), "\u2584": (1, 0), "\u2588": (0, 0)}
    rows = []
    for line in drawn.splitlines():
        rows.append([bool(halves[one][0]) for one in line])
        rows.append([bool(halves[one][1]) for one in line])
    return rows


def test_a_phone_reads_the_address_from_the_terminal(console: Console) -> None:
    """What is drawn is the code of the very address that is printed, with its quiet zone."""
    said = console("open", "--phone", "--at", "https://surefoot.example.org/")
    assert (said.code, said.err) == (0, "")
    address, tells, drawn = said.out.split("\n", 2)
    assert address.startswith("https://surefoot.example.org/sign-in?code=")
    assert "phone in for 30 days" in tells
    expected = [[bool(dark) for dark in row] for row in segno.make(address).matrix_iter(border=4)]
    assert squares(drawn)[: len(expected)] == expected
    assert follow(console, address)[0] == 303


def test_a_terminal_of_any_colours_shows_it_dark_on_light(console: Console) -> None:
    """White blocks on black, whatever the theme, as scanners want it; at most 80 columns."""
    code, drawn = on_a_terminal(console, "open", "--phone", "--at", "https://surefoot.example.org")
    assert code == 0
    lines = [line for line in drawn.splitlines() if "\u2588" in line]
    assert len(lines) > 15
    assert all(line.startswith("\x1b[38;5;231;48;5;16m") for line in lines)
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 80 for line in lines)


def test_a_phone_that_cannot_reach_surefoot_is_refused(console: Console) -> None:
    """On loopback alone no link is made, and the cure is said."""
    said = console("open", "--phone")
    assert said.code == 30
    assert "this host alone" in said.err
    assert "--at https://" in said.err
    assert said.out == ""


def test_without_tls_it_is_said_who_can_read_along(console: Console) -> None:
    """An address of plain http on a network is drawn, with a word of warning beside it."""
    said = console("open", "--phone", "--at", "http://192.0.2.7:7070")
    assert said.code == 0
    assert "without TLS" in said.err


@pytest.mark.parametrize(
    ("url", "phone", "address"),
    [
        ("http://127.0.0.1:7070", False, "http://surefoot.localhost:7070"),
        ("http://localhost:7070", False, "http://surefoot.localhost:7070"),
        ("http://[::1]:7070", False, "http://surefoot.localhost:7070"),
        ("http://0.0.0.0:7070", False, "http://surefoot.localhost:7070"),
        ("http://192.0.2.7:7070", False, "http://192.0.2.7:7070"),
        ("https://localhost:7070", False, "https://localhost:7070"),
        ("https://surefoot.example.org/", False, "https://surefoot.example.org"),
        ("http://192.0.2.7:7070", True, "http://192.0.2.7:7070"),
        ("http://[2001:db8::7]:7070", True, "http://[2001:db8::7]:7070"),
    ],
)
def test_the_address_is_one_by_which_it_is_reached(url: str, phone: bool, address: str) -> None:
    """By a browser of this host a name for loopback, else what was given."""
    assert address_for(url, phone=phone) == address


def test_a_phone_reaches_this_host_by_its_own_address() -> None:
    """What listens everywhere is reached by the address that goes out."""
    with contextlib.suppress(Refused):  # a host without a network
        found = address_for("http://0.0.0.0:7070", phone=True)
        assert re.fullmatch(r"http://(?!0\.|127\.)[0-9.]+:7070", found)


def test_an_address_that_somebody_names_stays_as_it_is(console: Console) -> None:
    """Where a browser does not find the name for this host, its number does."""
    said = console("open", "--print", "--at", f"http://127.0.0.1:{port_of(console)}")
    assert said.out.startswith(f"http://127.0.0.1:{port_of(console)}/sign-in?code=")


@pytest.mark.parametrize(
    "url",
    [
        *("surefoot.example.org", "ftp://a.example", "http://", "https://a.example/path"),
        *("https://a.example/?x=1", "https://a.example:port", "javascript:alert(1)"),
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """Before any link is made."""
    with pytest.raises(Refused, match="is no address"):
        address_for(url, phone=False)


def test_keys_and_sign_ins_are_listed_with_their_ends(console: Console) -> None:
    """Each with what it is held by; a key has no end."""
    assert follow(console, console("open", "--json").object["address"])[0] == 303
    lines = console("token", "list").out.splitlines()
    assert lines[0] == "   1  Ann Example <ann@example.org>  key"
    assert re.fullmatch(
        r" 100  Ann Example <ann@example.org>  browser until 1970-01-1\d .*", lines[2]
    )
