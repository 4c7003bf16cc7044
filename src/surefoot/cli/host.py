"""`give-back` and `demo`: they need no daemon."""

import json
import socket
import sys
from pkgutil import resolve_name
from typing import Any

import click

from surefoot.cli.exits import Exit
from surefoot.cli.figures import span
from surefoot.cli.home import home_folder
from surefoot.cli.options import as_json
from surefoot.cli.output import show
from surefoot.domain.errors import OutsideFailed, Refused

__all__ = ["demo", "give_back"]

_KEEPER_LIMIT_S = 15.0
_LARGEST_ANSWER = 1 << 20


@click.command("give-back", short_help="Give a service back without the daemon.")
@click.argument("service")
@click.option("--because", metavar="WHY", default="ordered by hand", help="The reason.")
@as_json
def give_back(service: str, because: str, *, as_json: bool) -> int:
    """Give SERVICE back by the keeper alone. To be run on its host; needs no daemon."""
    answer = _keeper({"op": "give_back", "service": service, "why": because})
    if not answer.get("ok"):
        says = str(answer.get("says") or "The keeper did not say why.")
        raise Refused(says, cure="`surefoot status` shows what is so.")
    if not answer.get("read_back"):
        raise OutsideFailed(
            f"The old routes of {service} are in place, but the proxy did not confirm them.",
            cure="Type it again; `surefoot doctor` looks at the proxy.",
        )
    took = span(float(answer.get("seconds", 0.0)))
    lines = [f"{service} is given back: all traffic is on its last good release ({took})."]
    show(answer, lines, as_json=as_json)
    return Exit.DONE


def _keeper(order: dict[str, str]) -> dict[str, Any]:
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
