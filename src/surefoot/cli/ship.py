"""`ship`, `plan`, `adopt`, `watch`: a commit on its way."""

from typing import Any

import click

from surefoot.cli import words
from surefoot.cli.client import Daemon, daemon
from surefoot.cli.exits import Exit
from surefoot.cli.follow import follow, to_its_end
from surefoot.cli.here import commits_between, tip
from surefoot.cli.meant import known_here, the_service
from surefoot.cli.options import as_json, service_option
from surefoot.cli.output import note, show
from surefoot.cli.views import ChangeView, PlanView, ServiceView, view
from surefoot.domain.errors import NotFound, Refused

__all__ = ["adopt", "plan", "ship", "watch"]

_revision = click.argument("revision", metavar="[REV]", default="HEAD")
_detach = click.option("--detach", is_flag=True, help="Do not follow it.")


def _intent(command: Any) -> Any:
    """The options that say what a change is for; trailers of its commits say the same."""
    for option in (
        click.option(
            "--forward-only",
            is_flag=True,
            default=None,
            help="It alters data, and that cannot go back; a second person approves it.",
        ),
        click.option("--fixes", type=int, metavar="N", help="The change that this one fixes."),
        click.option("--expect", multiple=True, metavar="E", help='As "export_p95 falls by 10%".'),
        click.option("--watch", multiple=True, metavar="METRIC", help="A metric to watch it by."),
        click.option("--why", "--because", "why", metavar="WHY", help="Default: the subject."),
    ):
        command = option(command)
    return command


@click.command(short_help="Take a commit to verified in production.")
@_revision
@_intent
@click.option("--each", is_flag=True, help="Each commit as a change of its own, oldest first.")
@click.option("--again", type=int, metavar="N", help="Try restored change N once more.")
@_detach
@as_json
def ship(
    revision: str, *, each: bool, again: int | None, detach: bool, as_json: bool, **intent: Any
) -> int:
    """Take commit REV (default: HEAD) to verified in production, and follow it.

    It may be left at any time: the change goes on.
    """
    asked = daemon()
    if again is not None:
        return _ship_again(asked, again, intent, detach=detach, as_json=as_json)
    if each:
        if any(value not in (None, ()) for value in intent.values()):
            raise click.UsageError(
                "With --each, every commit says by its trailers what it is for; one that alters "
                "data is shipped by itself, with --forward-only."
            )
        return _ship_each(asked, revision, detach=detach, as_json=as_json)
    service, body = _order(asked, revision, intent)
    raw = asked.post(f"/v1/services/{service}/changes", body)
    if not as_json:
        show(raw, words.several_commits(view(raw, ChangeView)), as_json=False)
    return _begin(asked, raw, detach=detach, as_json=as_json)


def _ship_again(
    asked: Daemon, number: int, intent: dict[str, Any], *, detach: bool, as_json: bool
) -> int:
    """Ship what was restored once more, from its first step; it is for what it was for."""
    if any(intent[name] not in (None, ()) for name in ("fixes", "expect", "watch")):
        raise click.UsageError(f"With --again, {number} is tried for what it was for.")
    before = view(asked.get(f"/v1/changes/{number}"), ChangeView)
    body = {"revision": before.revision, "why": intent["why"] or "", "again": number}
    if intent["forward_only"]:
        body["forward_only"] = True
    raw = asked.post(f"/v1/services/{before.service}/changes", body)
    return _begin(asked, raw, detach=detach, as_json=as_json)


def _ship_each(asked: Daemon, revision: str, *, detach: bool, as_json: bool) -> int:
    """Ship commit by commit; all of them take their place before the first is followed.

    Returns:
        The exit code of the first change that does not end well, else that of the last.
    """
    place = known_here(asked)
    last = tip(place, revision)
    path = f"/v1/services/{place.service}"
    whole = {"revision": last.revision, "why": last.subject, "forward_only": True}
    base = asked.post(f"{path}/plan", whole)["base"]  # each commit is asked for itself below
    if base is None:
        raise Refused(
            f"Nothing of {place.service} is live, so there is nothing to come after.",
            cure="`surefoot adopt REV` takes over what runs today.",
        )
    shipped = []
    for commit in commits_between(place, base, last.revision):
        body = {"revision": commit.revision, "why": commit.subject}
        shipped.append(asked.post(f"{path}/changes", body))
        note(words.heading(view(shipped[-1], ChangeView)))
    code = Exit.DONE
    for index, raw in enumerate(shipped if not detach else ()):
        shipped[index] = to_its_end(asked, place.service, raw["number"], as_json=as_json)
        change = view(shipped[index], ChangeView)
        code = Exit(change.exit_code or 0)
        if not as_json:
            show(None, words.ending(change), as_json=False)
        if code is not Exit.DONE:
            break
    if as_json:
        show({"changes": shipped}, [], as_json=True)
    return code


@click.command(short_help="Say what ship would do; changes nothing.")
@_revision
@_intent
@as_json
def plan(revision: str, *, as_json: bool, **intent: Any) -> int:
    """Say what `ship REV` would do: size, checks, steps, forecast, way back. Changes nothing."""
    asked = daemon()
    service, body = _order(asked, revision, intent)
    raw = asked.post(f"/v1/services/{service}/plan", body)
    show(raw, words.plan_lines(view(raw, PlanView)), as_json=as_json)
    return Exit.DONE


@click.command(short_help="Take over what runs today, as the first baseline.")
@_revision
@_detach
@as_json
def adopt(revision: str, *, detach: bool, as_json: bool) -> int:
    """Start REV (default: HEAD), the revision that runs today, as the baseline of change 1."""
    asked = daemon()
    service, body = _order(asked, revision, {"why": "what runs today"})
    raw = asked.post(f"/v1/services/{service}/changes", body | {"adopt": True})
    return _begin(asked, raw, detach=detach, as_json=as_json)


@click.command(short_help="Follow a change.")
@click.argument("number", metavar="[N]", type=int, required=False)
@service_option
@as_json
def watch(number: int | None, service: str | None, *, as_json: bool) -> int:
    """Follow change N (default: the one on its way) to its end; exits as `ship` would."""
    asked = daemon()
    if number is None:
        service = the_service(asked, service)
        number = on_its_way(asked, service)
    return follow(asked, service, number, as_json=as_json)


def on_its_way(asked: Daemon, service: str) -> int:
    """The change that one would look at: exposed, else first in the lane, else the live one.

    Raises:
        NotFound: the service has none.
    """
    seen = view(asked.get(f"/v1/services/{service}"), ServiceView)
    for number in (seen.exposed, *seen.waiting, seen.live):
        if number is not None:
            return number
    latest = asked.get("/v1/changes", service=service, limit=1)["changes"]
    if not latest:
        raise NotFound(f"{service} has no change yet.", cure="`surefoot ship` makes one.")
    return int(latest[0]["number"])


def _order(asked: Daemon, revision: str, intent: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The service of this folder, known to the daemon, and what is asked for this commit."""
    place = known_here(asked)
    commit = tip(place, revision)
    given = {key: value for key, value in intent.items() if value not in (None, ())}
    return place.service, {"revision": commit.revision, "why": commit.subject} | given


def _begin(asked: Daemon, raw: dict[str, Any], *, detach: bool, as_json: bool) -> int:
    change = view(raw, ChangeView)
    if detach:
        lines = [words.heading(change), f"  Next: surefoot watch {change.number}"]
        show(raw, lines, as_json=as_json)
        return Exit.DONE
    return follow(asked, change.service, change.number, as_json=as_json)
