"""Ask the API's application without a socket, for worlds whose time does not pass by itself."""

import asyncio
import json
from typing import Any

from starlette.types import ASGIApp, Message


async def ask(
    app: ASGIApp, method: str, path: str, token: str, body: object = None
) -> tuple[int, str]:
    """One request; returns the status and the text of the answer, of a stream its beginning."""
    path, _, query = path.partition("?")
    text = b"" if body is None else json.dumps(body).encode()
    sent: list[Message] = []
    over = asyncio.Event()

    async def receive() -> Message:
        nonlocal text
        if text is None:
            await over.wait()
            return {"type": "http.disconnect"}
        now, text = text, None  # type: ignore[assignment]
        return {"type": "http.request", "body": now, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [
            (b"authorization", f"Bearer {token}".encode()),
            (b"content-type", b"application/json"),
        ],
        "state": {},
    }
    asking = asyncio.ensure_future(app(scope, receive, send))
    await asyncio.wait({asking}, timeout=5)
    over.set()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    body_of = b"".join(one.get("body", b"") for one in sent)
    return sent[0]["status"], body_of.decode()
