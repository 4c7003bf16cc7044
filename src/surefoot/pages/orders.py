"""What a page can order: each by a plain form, each with the person who is signed in."""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl, quote

from starlette.requests import Request

from surefoot.domain.errors import Refused
from surefoot.drawing.figures import percent
from surefoot.engine.control import Control
from surefoot.engine.status import ChangeStatus, UndoStatus
from surefoot.pages.mood import Mood
from surefoot.pages.page import Page
from surefoot.pages.rendering import render

__all__ = [
    "ORDERS_ON_CHANGES",
    "ORDERS_ON_SERVICES",
    "Order",
    "confirm_undo",
    "confirm_undo_service",
    "given",
]

LONGEST_TEXT = 4_000
LONGEST_HOLD_S = 7 * 86_400.0
Given = Mapping[str, str]
Order = Callable[[Control, Request, Given], Awaitable[str]]


async def given(request: Request) -> Given:
    """The fields of a form. Raises `Refused` for one that is too long or no text."""
    try:
        fields = dict(parse_qsl((await request.body()).decode(), max_num_fields=20))
    except (UnicodeDecodeError, ValueError):
        raise Refused("This form cannot be read.", cure="Load the page again.") from None
    for name, text in fields.items():
        if len(text) > LONGEST_TEXT:
            raise Refused(
                f"'{name[:40]}' is longer than {LONGEST_TEXT:,} characters.", cure="Shorten it."
            )
    return fields


def _reason(fields: Given, name: str) -> str:
    text = fields.get(name, "").strip()
    if not text:
        raise Refused("This wants a sentence, and none was written.", cure="Write one, and again.")
    return text


def _service(request: Request) -> str | None:
    """Which service's, where a page names it: number 0 is each service's adopted release."""
    return request.query_params.get("service")


def _of_change(request: Request) -> str:
    """Where the change's page is."""
    service = _service(request)
    named = f"?service={quote(service, safe='')}" if service else ""
    return f"/changes/{request.path_params['number']}{named}"


def _of_service(request: Request) -> str:
    return f"/services/{quote(request.path_params['name'], safe='')}"


async def _undo(control: Control, request: Request, fields: Given) -> str:
    number, because = request.path_params["number"], fields.get("because", "").strip()
    await control.undo(number, request.user, because, _service(request))
    return _of_change(request)


async def _accept(control: Control, request: Request, fields: Given) -> str:
    because = _reason(fields, "because")
    number, service = request.path_params["number"], _service(request)
    await control.accept(number, request.user, because, service)
    return _of_change(request)


async def _approve(control: Control, request: Request, _fields: Given) -> str:
    await control.approve(request.path_params["number"], request.user, _service(request))
    return _of_change(request)


async def _ask(control: Control, request: Request, fields: Given) -> str:
    question = _reason(fields, "question")
    number, service = request.path_params["number"], _service(request)
    await control.ask(number, request.user, question, service)
    return _of_change(request)


async def _undo_service(control: Control, request: Request, fields: Given) -> str:
    because = fields.get("because", "").strip()
    await control.undo_service(request.path_params["name"], request.user, because)
    return _of_service(request)


async def _hold(control: Control, request: Request, fields: Given) -> str:
    because, told = _reason(fields, "because"), fields.get("for_s", "")
    for_s = float(told) if told.isdecimal() and len(told) < 10 else None  # noqa: PLR2004 -- digits
    if told and (for_s is None or not 0 < for_s <= LONGEST_HOLD_S):
        raise Refused("A hold lasts for a week at most.", cure="Choose one of the list.")
    await control.hold(request.path_params["name"], request.user, because, for_s)
    return _of_service(request)


async def _resume(control: Control, request: Request, fields: Given) -> str:
    because = _reason(fields, "because")
    await control.resume(request.path_params["name"], request.user, because)
    return _of_service(request)


ORDERS_ON_CHANGES: Mapping[str, Order] = {
    "undo": _undo,
    "accept": _accept,
    "approve": _approve,
    "ask": _ask,
}
ORDERS_ON_SERVICES: Mapping[str, Order] = {
    "undo": _undo_service,
    "hold": _hold,
    "resume": _resume,
}


async def confirm_undo(control: Control, request: Request) -> Page:
    """Whether a change that is not half way out is really meant. Raises `NotFound`."""
    number = request.path_params["number"]
    change = await control.change(number, _service(request))
    back = _of_change(request)
    action = back.replace(f"/changes/{number}", f"/changes/{number}/undo", 1)
    return _confirm(change.undo, _effect(change), action, back)


async def confirm_undo_service(control: Control, request: Request) -> Page:
    """The same for what is exposed, else live, in a service. Raises `NotFound`."""
    service = await control.service(request.path_params["name"])
    back = _of_service(request)
    effect = service.sentence
    if service.undo.number is not None:
        effect = _effect(await control.change(service.undo.number, service.name))
    return _confirm(service.undo, effect, f"{back}/undo", back)


def _effect(change: ChangeStatus) -> str:
    """What it will do, and what it will not."""
    if not change.undo.possible:
        return change.sentence
    if change.exposed_at is None:
        return f"No user has met {change.number}: it leaves the lane, and nothing else changes."
    met = "All users go" if change.share in {0.0, 1.0} else f"{percent(change.share)} of users go"
    back = f"back to {change.undo.back_to}"
    if change.undo.back_to is None:
        back = "off the air: nothing was live before"
    alters = " What it did to data stays." if change.forward_only else ""
    again = f"`surefoot ship --again {change.number}` sends it out once more."
    return f"{met} from {change.number} {back}, and it ends.{alters} {again}"


def _confirm(undo: UndoStatus, effect: str, action: str, back: str) -> Page:
    values = {"says": undo.says, "possible": undo.possible, "effect": effect}
    part = render("confirm.html", **values, action=action, back=back)
    return Page("", "Surefoot", (undo.says,), Mood.HELD, {"state": part}, 0.0)
