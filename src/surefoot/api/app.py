"""The application: the route table behind the edge."""

import socket
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from surefoot.api.edge import Edge
from surefoot.api.openapi import document
from surefoot.api.operations import Operation
from surefoot.api.problems import told
from surefoot.api.routes import ROUTES
from surefoot.api.session import SessionCookie
from surefoot.api.signin import sign_in_routes
from surefoot.domain.errors import SurefootError
from surefoot.engine.control import Control
from surefoot.pages.presence import Presence
from surefoot.pages.routes import page_routes

__all__ = ["create_app"]


def create_app(control: Control) -> Starlette:
    """The API of this control plane and the way in to its pages, for any ASGI server."""
    described = document(ROUTES)
    cookie = SessionCookie(control.health().home, socket.gethostname())

    presence = Presence()

    async def is_signed_in(request: Request) -> bool:
        return await request.scope["credential"].person(control) is not None

    async def openapi(_request: Request) -> Response:
        return JSONResponse(described)

    app = Starlette(
        routes=[
            Route("/v1/openapi.json", openapi, methods=["GET"]),
            *(
                Route(route.path, _endpoint(control, route), methods=[route.method])
                for route in ROUTES
            ),
            *page_routes(control, presence, is_signed_in),
            *sign_in_routes(control, cookie),
        ],
        middleware=[Middleware(Edge, control=control, cookie=cookie)],
        exception_handlers={
            HTTPException: told,
            SurefootError: told,
            Exception: told,
        },
    )
    app.state.presence = presence
    app.router.redirect_slashes = False  # an order is taken where it was sent, or not at all
    return app


def _endpoint(control: Control, route: Operation[Any]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await route.serve(control, request)

    return endpoint
