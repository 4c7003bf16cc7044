"""`give-back` and `demo`: they need no daemon."""

import json
import re
import socket
import sys
from pkgutil import resolve_name
from typing import Any

import click

from surefoot.cli.exits import Exit
from surefoot.cli.home import home_folder
from surefoot.cli.options import as_json
from surefoot.cli.output import say_error, show
from surefoot.domain.errors import OutsideFailed, Refused
from surefoot.drawing.figures import span

__all__ = ["demo", "give_back"]

_KEEPER_LIMIT_S = 15.0
_LARGEST_ANSWER = 16 << 20  # the journal and the routes of a service
_ARM = re.compile(r'"arm__[a-z0-9-]+__r(\d+)')


@click.command("give-back", short_help="Give a service back without the daemon.")
@click.argument("service")
@click.option("--because", metavar="WHY", default="ordered by hand", help="The reason.")
@as_json
def give_back(service: str, because: str, *, as_json: bool) -> int:
    """Give SERVICE back by the keeper alone. To be run on its host; needs no daemon.

    What is exposed meets no user any more and is fenced: no daemon can expose it again.
    """
    known = _keeper({"op": "state", "service": service}).get("services", {}).get(service)
    answer = _keeper({"op": "give_back", "service": service, "why": because})
    if known is None or not answer.get("ok"):
        says = str(answer.get("says") or f"The keeper has no routes of {service}.")
        raise Refused(says, cure="`surefoot status` shows what is so.")
    change, live = known["change"], _live(known["fallback"])
    exposed = change is not None and known["routes"] != known["fallback"]
    told = {**answer, "service": service, "live": live, "given_back": change if exposed else None}
    if not answer.get("read_back"):
        detail = f"The old routes of {service} are in place, but the proxy did not confirm them."
        cure = "Type it again; `surefoot doctor` looks at the proxy."
        say_error("Not confirmed", detail, cure, Exit.NOT_RESTORED, as_json=as_json)
        return Exit.NOT_RESTORED
    users = f"all users are on release {live}" if live is not None else "users have the old routes"
    if exposed:
        took = span(float(answer.get("seconds", 0.0)))
        lines = [f"{service} is given back ({took}): no user meets {change} any more, and {users}."]
    else:
        lines = [f"Nothing of {service} is exposed: {users}."]
        lines += [f"  If you mean release {live} itself: surefoot up && surefoot undo {live}"]
    show(told, lines, as_json=as_json)
    return Exit.DONE


def _live(routes: object) -> int | None:
    """The release that users are led to: the old arm always comes first, and is tried first."""
    found = _ARM.search(json.dumps(routes))
    return int(found[1]) if found else None


def _keeper(order: dict[str, str | None]) -> dict[str, Any]:
    """One order to the keeper: one line there, one line back."""
    path = home_folder() / "keeper" / "keeper.sock"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(_KEEPER_LIMIT_S)
            line.connect(str(path))
            line.sendall(json.dumps(order).encode() + b"\n")
            with line.makefile("rb") as answered:
                answer = json.loads(answered.readline(_LARGEST_ANSWER))
    except (OSError, ValueError) as error:
        raise OutsideFailed(
            f"The keeper does not answer at {path} ({error}).",
            cure="Run this on the service's host, as the user that runs Surefoot there.",
        ) from error
    return dict(answer)


@click.command(short_help="See three changes on their way, live.")
@click.option("--keep", is_flag=True, help="Leave everything running at the end.")
@as_json
def demo(*, keep: bool, as_json: bool) -> int:
    """See a good change verified, a harmful one restored, and its fix, on real parts."""
    sys.stdout.flush()
    code: int = resolve_name("surefoot.demo.main:run")(as_json=as_json, keep=keep)
    return code
