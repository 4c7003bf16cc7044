"""`status`, `why`, `log`: questions, answered in sentences. Nothing here changes anything."""

import click

from surefoot.cli import words
from surefoot.cli.client import Daemon, daemon
from surefoot.cli.exits import Exit
from surefoot.cli.meant import the_service
from surefoot.cli.options import MOMENT, as_json, service_option
from surefoot.cli.output import show
from surefoot.cli.ship import on_its_way
from surefoot.cli.views import ChangeView, EntryView, ServiceView, view

__all__ = ["log", "status", "why"]

_ENTRIES_SHOWN = 8
_ENTRIES_READ = 1_000


@click.command(short_help="Say what is live, and what comes next.")
@click.argument("service", required=False)
@as_json
def status(service: str | None, *, as_json: bool) -> int:
    """Say what is live, exposed and waiting in SERVICE (default: in every service)."""
    asked = daemon()
    if service:
        raw = asked.get(f"/v1/services/{service}")
        seen = [view(raw, ServiceView)]
    else:
        raw = asked.get("/v1/services")
        seen = [view(one, ServiceView) for one in raw["services"]]
    if as_json:
        show(raw, (), as_json=True)
        return Exit.DONE
    lines = [line for one in seen for line in words.service_lines(one, _moving(asked, one))]
    nothing = ["No service is known yet.", "  Next: cd YOUR-SERVICE && surefoot init"]
    show(raw, lines or nothing, as_json=False)
    return Exit.DONE


def _moving(asked: Daemon, service: ServiceView) -> list[ChangeView]:
    numbers = [number for number in (service.exposed, *service.waiting) if number is not None]
    return [
        view(asked.get(f"/v1/changes/{number}", service=service.name), ChangeView)
        for number in dict.fromkeys(numbers)
    ]


@click.command(short_help="Say why a change is where it is, with the evidence.")
@click.argument("number", metavar="[N]", type=int, required=False)
@service_option
@as_json
def why(number: int | None, service: str | None, *, as_json: bool) -> int:
    """Say why change N (default: the one on its way) is where it is, with the evidence."""
    asked = daemon()
    if number is None:
        service = the_service(asked, service)
        number = on_its_way(asked, service)
    raw = asked.get(f"/v1/changes/{number}", service=service)
    change = view(raw, ChangeView)
    told = asked.get(
        "/v1/ledger", service=change.service, change=change.number, limit=_ENTRIES_READ
    )["entries"][-_ENTRIES_SHOWN:]
    entries = [view(entry, EntryView) for entry in told]
    show({"change": raw, "ledger": told}, words.why_lines(change, entries), as_json=as_json)
    return Exit.DONE


@click.command(short_help="List changes, one a line.")
@click.option("--since", type=MOMENT, help="Only later ones: 2h, 3d, or a time.")
@click.option("--author", metavar="WHO", help="A part of a name or an address.")
@click.option("--outcome", metavar="PHASE", help="As verified or restored.")
@click.option("--path", metavar="PATH", help="Only those that touched it.")
@click.option("--at", "serving_at", type=MOMENT, help="What served users then.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@service_option
@as_json
def log(*, as_json: bool, **asked_for: object) -> int:
    """List changes, newest first: number, live from-to, outcome, size, minutes, harmed, intent."""
    raw = daemon().get("/v1/changes", **asked_for)
    lines = [words.log_line(view(change, ChangeView)) for change in raw["changes"]]
    show(raw, lines or ["No change fits."], as_json=as_json)
    return Exit.DONE
