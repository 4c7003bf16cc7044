"""Where the pages are, and what each address does."""

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import nullcontext

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from surefoot.engine.control import Control
from surefoot.pages.board import BoardPage
from surefoot.pages.change import ChangePage
from surefoot.pages.log import LogPage
from surefoot.pages.orders import (
    ORDERS_ON_CHANGES,
    ORDERS_ON_SERVICES,
    Order,
    confirm_undo,
    confirm_undo_service,
    given,
)
from surefoot.pages.page import Page, full
from surefoot.pages.presence import Presence
from surefoot.pages.rendering import FILES, prepare
from surefoot.pages.rooms import BEAT_S, Make, Rooms, frame, known
from surefoot.pages.service import ServicePage

__all__ = ["page_routes"]

LARGEST_NUMBER = 2**53
FOREVER = "public, max-age=31536000, immutable"
Signed = Callable[[Request], Awaitable[bool]]


def page_routes(control: Control, presence: Presence, is_signed_in: Signed) -> list[BaseRoute]:
    """Every address of the pages.

    Args:
        control: whom to ask.
        presence: who looks at what; the API's streams count, too.
        is_signed_in: whether a request's sign-in, or token, still stands.
    """
    prepare()
    pages = _Pages(control, presence, is_signed_in)
    return [
        Route("/", pages.show(pages.board)),
        Route("/changes/{number:int}", pages.show(pages.change)),
        Route("/services/{name}", pages.show(pages.service)),
        Route("/log", pages.show(pages.log)),
        Route("/live/", pages.live(pages.board)),
        Route("/live/changes/{number:int}", pages.live(pages.change)),
        Route("/live/services/{name}", pages.live(pages.service)),
        Route("/changes/{number:int}/undo", pages.confirm(confirm_undo), methods=["GET"]),
        Route("/services/{name}/undo", pages.confirm(confirm_undo_service), methods=["GET"]),
        *(
            Route(f"/changes/{{number:int}}/{name}", pages.order(order), methods=["POST"])
            for name, order in ORDERS_ON_CHANGES.items()
        ),
        *(
            Route(f"/services/{{name}}/{name}", pages.order(order), methods=["POST"])
            for name, order in ORDERS_ON_SERVICES.items()
        ),
        Route("/static/{file}", _static),
    ]


class _Pages:
    """Makes and serves the pages."""

    def __init__(self, control: Control, presence: Presence, is_signed_in: Signed) -> None:
        self._control = control
        self._presence = presence
        self._is_signed_in = is_signed_in
        self._rooms = Rooms(control)
        self._board = BoardPage(control)
        self._change = ChangePage(control, presence)
        self._service = ServicePage(control)
        self._log = LogPage(control)

    # --- which page ----------------------------------------------------------------------------

    def board(self, request: Request) -> Make:
        """The board."""
        del request
        return self._board.make

    def change(self, request: Request) -> Make:
        """The page of the change that the path names."""
        number, service = _number(request), request.query_params.get("service")
        return lambda: self._change.make(number, service)

    def service(self, request: Request) -> Make:
        """The page of the service that the path names."""
        name = request.path_params["name"]
        return lambda: self._service.make(name)

    def log(self, request: Request) -> Make:
        """The log with the filters of the query."""
        asked = dict(request.query_params)
        return lambda: self._log.make(asked)

    # --- how it is served ----------------------------------------------------------------------

    def show(self, which: Callable[[Request], Make]) -> Callable[[Request], Awaitable[Response]]:
        """The whole page."""

        async def shown(request: Request) -> Response:
            page, still = await which(request)(), "still" in request.query_params
            return HTMLResponse(full(page, request.user, self._control.now(), still=still))

        return shown

    def live(self, which: Callable[[Request], Make]) -> Callable[[Request], Awaitable[Response]]:
        """The stream of what changes on it."""

        async def streamed(request: Request) -> Response:
            make = which(request)
            await make()  # what is not there is said with a status, not in a stream
            if request.method == "HEAD":
                return Response(media_type="text/event-stream")
            return StreamingResponse(
                self._frames(request, make),
                media_type="text/event-stream",
                headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            )

        return streamed

    async def _frames(self, request: Request, make: Make) -> AsyncIterator[bytes]:
        has: Mapping[str, str] = known(
            request.headers.get("last-event-id") or request.query_params.get("has", "")
        )
        number, service = request.path_params.get("number"), request.query_params.get("service")
        here = nullcontext() if number is None else self._presence.of(number, request.user, service)
        loop, sent_at = asyncio.get_running_loop(), 0.0
        key = f"{request.url.path}?{service or ''}"
        with here:
            async for page in self._rooms.frames(key, make):
                if not await self._is_signed_in(request):
                    return
                sent, news, has = frame(page, has, self._control.now())
                if news or loop.time() - sent_at >= BEAT_S:
                    sent_at = loop.time()
                    yield sent

    # --- orders --------------------------------------------------------------------------------

    def confirm(
        self, which: Callable[[Control, Request], Awaitable[Page]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The page that asks once more before something that no evidence asks for."""

        async def asked(request: Request) -> Response:
            if "number" in request.path_params:
                _number(request)
            page = await which(self._control, request)
            return HTMLResponse(full(page, request.user, self._control.now()))

        return asked

    def order(self, order: Order) -> Callable[[Request], Awaitable[Response]]:
        """Carry an order out, and lead back to where it shows."""

        async def ordered(request: Request) -> Response:
            if "number" in request.path_params:
                _number(request)
            back = await order(self._control, request, await given(request))
            return RedirectResponse(back, 303)

        return ordered


def _number(request: Request) -> int:
    number = int(request.path_params["number"])
    if number > LARGEST_NUMBER:
        raise HTTPException(404, "There is no such number.")
    return number


async def _static(request: Request) -> Response:
    """A file of ours. Its address changes with it, so it is asked for once."""
    name = request.path_params["file"]
    if name not in FILES:
        raise HTTPException(404, "There is no such file.")
    media = mimetypes.guess_type(name)[0]
    return Response(FILES[name], media_type=media, headers={"Cache-Control": FOREVER})
