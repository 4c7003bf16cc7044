"""`drill` and `learn`: try what must hold, and read how often it did."""

import click

from surefoot.cli import words
from surefoot.cli.client import daemon
from surefoot.cli.exits import Exit
from surefoot.cli.meant import the_service
from surefoot.cli.options import SPAN, as_json
from surefoot.cli.output import show
from surefoot.cli.views import LearntView, ServiceView, view

__all__ = ["drill", "learn"]

_LARGEST = 1_000


@click.group(short_help="Try on a live service what must hold.")
def drill() -> None:
    """Try on a live service what must hold when it is needed."""


@drill.command()
@click.argument("service", required=False)
@click.option(
    "--times", type=click.IntRange(1, _LARGEST), default=1, show_default=True, help="So many runs."
)
@click.option("--every", "every_s", metavar="SPAN", type=SPAN, help="Such as 1d; default: at once.")
@click.option("--stop", is_flag=True, help="End what is left of an order.")
@as_json
def placebo(
    service: str | None, times: int, every_s: float | None, *, stop: bool, as_json: bool
) -> int:
    """Run what is live in SERVICE (default: that of this folder) beside itself.

    Whatever the verdict says of that is chance, or the host: *worse* is a false alarm.
    """
    asked = daemon()
    name = the_service(asked, service)
    place = f"/v1/services/{name}/drill/placebo"
    if stop:
        raw = asked.delete(place)
        lines = [f"No further placebo run of {name} will begin."]
    else:
        raw = asked.post(place, {"times": times, "every_s": every_s or 0.0})
        lines = [view(raw, ServiceView).drill or "Ordered."]
    lines.append(f"  Next: surefoot learn {name}")
    show(raw, lines, as_json=as_json)
    return Exit.DONE


@click.command(short_help="Say how often it is wrong here, and what it learnt.")
@click.argument("service", required=False)
@as_json
def learn(service: str | None, *, as_json: bool) -> int:
    """Say how often a verdict is wrong in SERVICE (default: in each), and what was learnt."""
    raw = daemon().get("/v1/learn", service=service)
    show(raw, words.learnt_lines(view(raw, LearntView)), as_json=as_json)
    return Exit.DONE
