"""`open`: the pages, signed in by a link for one use. The only module that knows QR codes."""

import io
import os
import re
import socket
import sys
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlencode, urlsplit

import click
import segno

from surefoot.cli.client import daemon
from surefoot.cli.exits import Exit
from surefoot.cli.options import as_json
from surefoot.cli.output import note, show
from surefoot.domain.errors import Refused

__all__ = ["address_for", "open_"]

# Browsers lead every name below localhost to this very host (RFC 6761, section 6.3).
_HERE = "surefoot.localhost"
_WHERE = re.compile(r"(?P<number>\d{1,16})|(?P<path>/(?!/)[^\\\x00-\x20\x7f-\x9f]*)")
_ANYWHERE = "192.0.2.1"  # of the block for documentation (RFC 5737): nobody has it
_WHITE_ON_BLACK = "\x1b[38;5;231;48;5;16m{}\x1b[0m"  # whatever the terminal's own colours are


@dataclass(frozen=True, slots=True)
class _For:
    """What is signed in, and for how long its link and it last."""

    kind: str
    minutes: int
    days: int


_BROWSER = _For("browser", 2, 7)
_PHONE = _For("phone", 5, 30)


@click.command("open", short_help="Open the pages, signed in.")
@click.argument("where", required=False)
@click.option("--phone", is_flag=True, help="Show a QR code that signs a phone in for 30 days.")
@click.option("--at", metavar="URL", help="Where Surefoot is reached, such as a proxy with TLS.")
@click.option("--print", "only_print", is_flag=True, help="Print the address, and open nothing.")
@as_json
def open_(
    where: str | None, *, phone: bool, at: str | None, only_print: bool, as_json: bool
) -> int:
    """Open the pages at WHERE (a change's number, or a path such as /log), signed in."""
    path = _path(where)
    asked = daemon()
    held = _PHONE if phone else _BROWSER
    base = address_for(at or asked.url, phone=phone, as_given=at is not None)
    given = asked.post("/v1/sign-ins", {"kind": held.kind})
    onward = {} if path == "/" else {"to": path}
    address = f"{base}/sign-in?{urlencode({'code': given['code'], **onward}, safe='/')}"
    lasts = f"within {held.minutes} minutes, and signs a {held.kind} in for {held.days} days"
    ends = "`surefoot token list` shows it, `token revoke` ends it."
    show(
        {"address": address, **given}, [address, f"  Opens once, {lasts}. {ends}"], as_json=as_json
    )
    if as_json:
        return Exit.DONE
    if phone and base.startswith("http://"):
        note("Note: without TLS, whoever listens on that network can sign in as you, too.")
    if phone:
        print(_drawn(address), flush=True)
    elif not only_print and _has_browser():
        webbrowser.open(address)
    return Exit.DONE


def address_for(url: str, *, phone: bool, as_given: bool = False) -> str:
    """The address by which a browser of this host, or a phone, reaches what answers at `url`.

    A name of its own keeps the cookie away from other services of this host, for cookies know no
    ports; an address that somebody gave for it stays `as_given`.

    Raises:
        Refused: it is no address, or a phone cannot reach it.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:  # the port is no number
        host, port = "", None
    more = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in {"http", "https"} or not host or more:
        raise Refused(
            f"'{url}' is no address of Surefoot.",
            cure="Give it as a browser has it, without a path: --at https://surefoot.example.org",
        )
    if phone and _is_loopback(host):
        raise Refused(
            f"No phone can reach {url}: Surefoot answers this host alone.",
            cure="Put a proxy with TLS in front of it, and: "
            "surefoot open --phone --at https://ITS-NAME",
        )
    if not as_given and parts.scheme == "http":  # a certificate is made out to one name
        host = _reached_by(host, phone=phone)
    shown = f"[{host}]" if ":" in host else host
    place = shown if port is None else f"{shown}:{port}"
    return f"{parts.scheme}://{place}"


def _reached_by(host: str, *, phone: bool) -> str:
    """What it listens on is not always what it is reached by."""
    everywhere = host == "0.0.0.0"  # noqa: S104 -- read, not bound to
    if phone:
        return _own_address() if everywhere else host
    return _HERE if everywhere or _is_loopback(host) else host


def _path(where: str | None) -> str:
    """The path of a page. Raises `click.BadParameter` for what is none."""
    if where is None:
        return "/"
    meant = _WHERE.fullmatch(where)
    if meant is None:
        raise click.BadParameter(f"'{where}' is neither a change's number nor a path.")
    return f"/changes/{meant['number']}" if meant["number"] else quote(where, safe="/?&=%:,~+-._")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _own_address() -> str:
    """The address by which this host goes out; nothing is sent to find it.

    Raises:
        Refused: this host has none.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.connect((_ANYWHERE, 9))
        except OSError as error:
            raise Refused(
                "This host has no address that a phone could reach.",
                cure="Name one: surefoot open --phone --at http://ADDRESS:PORT",
            ) from error
        return str(line.getsockname()[0])


def _has_browser(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a browser would be seen; one that draws on this terminal would be in the way."""
    return any(environment.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))


def _drawn(address: str) -> str:
    """A QR code of half blocks, light on dark; 4 light modules around it (ISO/IEC 18004)."""
    drawn = io.StringIO()
    segno.make(address, micro=False).terminal(drawn, compact=True, border=4)
    lines = drawn.getvalue().splitlines()
    if not sys.stdout.isatty():
        return "\n".join(lines)
    return "\n".join(_WHITE_ON_BLACK.format(line) for line in lines)
