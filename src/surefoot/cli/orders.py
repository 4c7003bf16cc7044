"""`undo`, `accept`, `hold`, `resume`, `review`: what a person orders, with their reason."""

import time
from dataclasses import replace
from typing import Any

import click

from surefoot.cli import words
from surefoot.cli.client import Daemon, daemon
from surefoot.cli.errors import Unreachable
from surefoot.cli.exits import Exit
from surefoot.cli.follow import LOOK_S
from surefoot.cli.here import here
from surefoot.cli.meant import the_service
from surefoot.cli.options import SPAN, as_json, because, service_option
from surefoot.cli.output import show
from surefoot.cli.views import ChangeView, ServiceView, view
from surefoot.domain.errors import SurefootError

__all__ = ["accept", "hold", "resume", "review", "undo"]

RESTORE_LIMIT_S = 100.0  # the engine says *not restored* after 90 s
UNDO_PATIENCE_S = 5.0  # a daemon that is frozen must not keep anybody from `give-back`


@click.command(short_help="Give the service back, now.")
@click.argument("number", metavar="[N]", type=int, required=False)
@service_option
@click.option("--detach", is_flag=True, help="Do not wait until it is restored.")
@because(required=False)
@as_json
def undo(
    number: int | None, service: str | None, because: str, *, detach: bool, as_json: bool
) -> int:
    """Give the service back: undo change N (default: what is exposed, else live, here)."""
    try:
        asked = replace(daemon(), patience_s=UNDO_PATIENCE_S)
        if number is None:
            service = the_service(asked, service)
            raw = asked.post(f"/v1/services/{service}/undo", {"because": because})
        else:
            named = {"service": service} if service else {}  # older daemons know no such key
            raw = asked.post(f"/v1/changes/{number}/undo", {"because": because, **named})
        change = view(raw, ChangeView)
        if change.undo.possible and not detach:
            return _until_restored(asked, change, as_json=as_json)
    except Unreachable as away:
        raise Unreachable(away.message, cure=_without_daemon(service)) from away
    told = change.sentence if change.undo.possible else f"{change.undo.says}. {change.sentence}"
    lines = [told]
    if number is None and change.phase == "restored":
        live = asked.get(f"/v1/services/{change.service}")["live"]
        lines.append(f"  If you mean the live release itself: surefoot undo {live}")
    show(raw, lines, as_json=as_json)
    return Exit.DONE


def _until_restored(asked: Daemon, change: ChangeView, *, as_json: bool) -> int:
    """Say each new sentence until the service is back, or is known not to be."""
    said = ""
    deadline = time.monotonic() + RESTORE_LIMIT_S
    while True:
        raw = asked.get(f"/v1/changes/{change.number}", service=change.service)
        change = view(raw, ChangeView)
        over = change.final or change.phase == "not_restored" or time.monotonic() > deadline
        if change.sentence != said and not as_json:
            said = change.sentence
            show(raw, [said], as_json=False)
        if over:
            show(raw, words.ending(change), as_json=as_json)
            return Exit.DONE if change.final else Exit.NOT_RESTORED
        time.sleep(LOOK_S)


def _without_daemon(service: str | None) -> str:
    """The line that gives a service back when there is no daemon to ask."""
    try:
        name = service or here().service
    except SurefootError:
        name = "SERVICE"
    return f"On its host, without the daemon: surefoot give-back {name}"


@click.command(short_help="Answer for a change that evidence left undecided.")
@click.argument("number", metavar="N", type=int)
@because(required=True)
@as_json
def accept(number: int, because: str, *, as_json: bool) -> int:
    """Answer for change N, which the evidence could not decide. It is never called verified."""
    raw = daemon().post(f"/v1/changes/{number}/accept", {"because": because})
    show(raw, words.change_lines(view(raw, ChangeView)), as_json=as_json)
    return Exit.DONE


@click.command(short_help="Expose nothing further of a service.")
@click.argument("service", required=False)
@because(required=True)
@click.option("--for", "for_s", metavar="SPAN", type=SPAN, help="Such as 1h; default: for good.")
@as_json
def hold(service: str | None, because: str, for_s: float | None, *, as_json: bool) -> int:
    """Expose nothing further of SERVICE (default: that of this folder) until `resume`."""
    return _lane("hold", service, {"because": because, "for_s": for_s}, as_json=as_json)


@click.command(short_help="Open the lane of a service again.")
@click.argument("service", required=False)
@because(required=True)
@as_json
def resume(service: str | None, because: str, *, as_json: bool) -> int:
    """Open the lane of SERVICE (default: that of this folder) again."""
    return _lane("resume", service, {"because": because}, as_json=as_json)


def _lane(order: str, service: str | None, told: dict[str, object], *, as_json: bool) -> int:
    asked = daemon()
    name = the_service(asked, service)
    raw = asked.post(f"/v1/services/{name}/{order}", told)
    show(raw, words.service_lines(view(raw, ServiceView), ()), as_json=as_json)
    return Exit.DONE


@click.command(short_help="Read, approve or ask about a change.")
@click.argument("number", metavar="[N]", type=int, required=False)
@click.option("--approve", is_flag=True, help="Say yes to exactly this diff.")
@click.option("--ask", "question", metavar="QUESTION", help="Ask its author; it stays open.")
@as_json
def review(number: int | None, question: str | None, *, approve: bool, as_json: bool) -> int:
    """Show what waits for your yes, or change N; approve it, or ask about it."""
    if approve and question:
        raise click.UsageError("Approve, or ask: not both at once.")
    if number is None and (approve or question):
        raise click.UsageError("Say which change: surefoot review N --approve")
    asked = daemon()
    if number is None:
        return _queue(asked, as_json=as_json)
    if approve:
        raw = asked.post(f"/v1/changes/{number}/approve")
        lines = [f"Approved: {number}, exactly as it is.", f"  {view(raw, ChangeView).sentence}"]
    elif question:
        raw = asked.post(f"/v1/changes/{number}/ask", {"question": question})
        lines = [f"Asked; change {number} stays open for review."]
    else:
        raw = asked.get(f"/v1/changes/{number}")
        lines = words.review_lines(view(raw, ChangeView))
    show(raw, lines, as_json=as_json)
    return Exit.DONE


def _queue(asked: Daemon, *, as_json: bool) -> int:
    raw: dict[str, Any] = asked.get("/v1/reviews")
    waiting = [view(change, ChangeView) for change in raw["changes"]]
    lines = [line for change in waiting for line in words.review_lines(change)]
    show(raw, lines or ["Nothing waits for your yes."], as_json=as_json)
    return Exit.DONE
