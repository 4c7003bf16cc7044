"""`up`, `down`, `token`: for whoever runs the control plane."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import click

from surefoot.cli.client import daemon
from surefoot.cli.errors import SaidNo, Unreachable
from surefoot.cli.exits import Exit
from surefoot.cli.figures import moment
from surefoot.cli.home import daemon_pid, home_folder
from surefoot.cli.options import as_json
from surefoot.cli.output import note, show
from surefoot.cli.unit import unit
from surefoot.domain.errors import OutsideFailed, Refused

__all__ = ["down", "token", "up"]

UP_LIMIT_S = 90.0  # a host that comes back starts every service's release first
DOWN_LIMIT_S = 60.0
LOOK_S = 0.1
_LOG_LINES = 12
_PERSON = re.compile(r"\s*(?P<name>[^<>]+?)\s*<(?P<email>[^<>\s@]+@[^<>\s@]+)>\s*")


@click.command(short_help="Start the control plane on this host.")
@click.option("--foreground", is_flag=True, help="Stay here, as a service manager wants it.")
@click.option("--listen", metavar="HOST:PORT", help="Default: 127.0.0.1, the port it had last.")
@click.option(
    "--unit", "kind", type=click.Choice(["user", "system"]), help="Only print a systemd unit."
)
@as_json
def up(listen: str | None, kind: str | None, *, foreground: bool, as_json: bool) -> int:
    """Start the control plane on this host, and say where it answers."""
    if listen and not re.fullmatch(r".*:\d{1,5}", listen):
        raise click.BadParameter(f"'{listen}' is not HOST:PORT.", param_hint="--listen")
    home = home_folder()
    if kind is not None:
        text = unit(kind, home, listen)
        show({"unit": text}, text.splitlines(), as_json=as_json)
        return Exit.DONE
    if foreground:
        # It brings the whole daemon with it, which no other command wants to load.
        code: int = resolve_name("surefoot.daemon:main")(home, listen)
        return code
    health = _answering(home)
    already = health is not None
    if health is None:
        health = _start(home, listen)
    address = daemon({"SUREFOOT_HOME": str(home)}).url
    said = "is up already" if already else "is up"
    lines = [f"Surefoot {said} at {address} (home {home}, pid {health['pid']})."]
    if already and listen and not address.endswith(f"//{listen}"):
        again = f"surefoot down && surefoot up --listen {listen}"
        lines.append(f"  It does not listen on {listen}. For that: {again}")
    show({"address": address, "already": already, **health}, lines, as_json=as_json)
    return Exit.DONE


def _start(home: Path, listen: str | None) -> dict[str, Any]:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = home / "daemon.log"
    argv = [sys.executable, "-m", "surefoot", "up", "--foreground"]
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        started = subprocess.Popen(
            [*argv, *(["--listen", listen] if listen else [])],
            cwd="/",  # it must not keep a folder busy
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + UP_LIMIT_S
    while time.monotonic() < deadline:
        if started.poll() is not None:
            raise OutsideFailed(
                f"The control plane ended at its start:\n{_tail(log)}", cure=f"All of it: {log}"
            )
        health = _answering(home) if daemon_pid(home) == started.pid else None
        if health is not None:
            return health
        time.sleep(LOOK_S)
    raise Unreachable(
        f"The control plane (pid {started.pid}) does not answer after {UP_LIMIT_S:.0f} s.",
        cure=f"Its log tells more: {log}",
    )


def _answering(home: Path) -> dict[str, Any] | None:
    """The health of the daemon of this very home, whatever the environment says of others."""
    here = {"SUREFOOT_HOME": str(home)}
    try:
        return daemon(here).get("/v1/health")
    except (Unreachable, SaidNo):
        return None


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])


@click.command(short_help="Stop the control plane; users stay served.")
@click.option("--all", "everything", is_flag=True, help="Take the users of all services off, too.")
@click.option("--yes", is_flag=True, help="With --all: do not ask.")
@as_json
def down(*, everything: bool, yes: bool, as_json: bool) -> int:
    """Stop the control plane. What is exposed is given back; users stay served."""
    asked = daemon()
    pid = asked.get("/v1/health")["pid"]
    if everything and not yes:
        _ask_whether(_whom(asked.get("/v1/services")["services"]))
    raw = asked.post("/v1/down", {"everything": everything})
    deadline = time.monotonic() + DOWN_LIMIT_S
    # The answer comes before the end: who types `up` next must not meet the old one.
    while daemon_pid(home_folder()) == pid:
        if time.monotonic() > deadline:
            raise OutsideFailed(
                f"The control plane (pid {pid}) takes longer to stop than {DOWN_LIMIT_S:.0f} s.",
                cure=f"Its log tells more: {home_folder() / 'daemon.log'}",
            )
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(LOOK_S)
    show(raw, raw["says"], as_json=as_json)
    return Exit.DONE


def _whom(services: list[dict[str, Any]]) -> list[str]:
    """Whose users would be off the air, in lines."""
    return [
        f"  {one['name']}: {one['requests_per_s']:.1f} requests/s on {one['listen']}"
        for one in services
        if one["live"] is not None
    ]


def _ask_whether(whom: list[str]) -> None:
    """Ask who takes users off the air. Raises `Refused` unless they mean it."""
    if not whom:
        return
    said = "\n".join(("This takes their users off the air:", *whom))
    if not sys.stdin.isatty():
        raise Refused(said, cure="If you mean it: surefoot down --all --yes")
    note(said)
    if not click.confirm("Do you mean it?", err=True):
        raise Refused("Nothing was stopped.", cure="`surefoot down` leaves users served.")


@click.group(short_help="Give, list and close people's keys.")
def token() -> None:
    """Give, list and close people's keys and sign-ins. Everybody with one may stop and restore."""


@token.command("list", short_help="List the keys, without their secrets.")
@as_json
def list_(*, as_json: bool) -> int:
    """List whose keys and sign-ins there are, and when they end."""
    raw = daemon().get("/v1/tokens")
    lines = [_token_line(one) for one in raw["tokens"]]
    show(raw, lines, as_json=as_json)
    return Exit.DONE


def _token_line(told: dict[str, Any]) -> str:
    person = f"{told['person']['name']} <{told['person']['email']}>"
    ends_at = told["expires_at"]
    until = "" if ends_at is None else f" until {moment(ends_at)}"
    closed = "" if told["revoked_at"] is None else "  (closed)"
    return f"{told['id']:>4}  {person}  {told['kind']}{until}{closed}"


@token.command("new", short_help="Give a person a key.")
@click.argument("person", metavar="PERSON")
@as_json
def new(person: str, *, as_json: bool) -> int:
    """Give PERSON, written as "Name <name@example.org>", a key; it is shown this once."""
    named = _PERSON.fullmatch(person)
    if named is None:
        raise Refused(
            f"'{person}' is not a person as git writes it.",
            cure='surefoot token new "Name <name@example.org>"',
        )
    raw = daemon().post("/v1/tokens", named.groupdict())
    lines = [
        f"The key of {person.strip()}, shown this once:",
        f"  export SUREFOOT_TOKEN={raw['secret']}",
    ]
    show(raw, lines, as_json=as_json)
    return Exit.DONE


@token.command("revoke", short_help="Close a key for good.")
@click.argument("number", metavar="ID", type=int)
@as_json
def revoke(number: int, *, as_json: bool) -> int:
    """Close a key for good; `token list` shows its ID."""
    raw = daemon().delete(f"/v1/tokens/{number}")
    show(raw, raw["says"], as_json=as_json)
    return Exit.DONE
