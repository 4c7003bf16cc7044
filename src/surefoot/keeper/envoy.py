"""Asking Envoy, through its admin Unix socket, which routes it really has."""

import asyncio
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["Loaded", "loaded"]

_ANSWER_S = 1.0
_LONGEST_ANSWER = 65_536


class Loaded(NamedTuple):
    """The version of a service's routes in Envoy, and how many of its route files it refused.

    `known` is False while Envoy has no listener for the service: there is nothing to read back.
    """

    known: bool
    version: tuple[int, int] = (0, 0)
    refused: int = 0


async def loaded(admin: Path, service: str) -> Loaded | None:
    """Ask Envoy; None when it does not answer within a second."""
    wanted = rf"rds\.{service}\.(version_text|update_rejected)$"
    request = f"GET /stats?filter={wanted} HTTP/1.1\r\nHost: keeper\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(admin, limit=_LONGEST_ANSWER)
            try:
                writer.write(request.encode())
                answer = await reader.read()
            finally:
                writer.close()
    except OSError:  # a time-out is one too
        return None
    version = re.search(rb'version_text: "(\d+)\.(\d+)"', answer)
    refused = re.search(rb"update_rejected: (\d+)", answer)
    if refused is None:
        return Loaded(known=False)
    generation, n = (int(part) for part in version.groups()) if version else (0, 0)
    return Loaded(known=True, version=(generation, n), refused=int(refused[1]))
