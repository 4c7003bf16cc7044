"""Asking Envoy, through its admin Unix socket, which routes it really has."""

import asyncio
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["Loaded", "loaded"]

_ANSWER_S = 1.0


class Loaded(NamedTuple):
    """The version of a service's routes in Envoy, and how many of its route files it rejected."""

    version: tuple[int, ...]
    rejected: int


async def loaded(admin: Path, service: str) -> Loaded | None:
    """Ask Envoy; None when it is silent for a second, or has no listener for the service."""
    wanted = rf"rds\.{service}\.(version_text|update_rejected)$"
    request = f"GET /stats?filter={wanted} HTTP/1.1\r\nHost: keeper\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(admin)
            try:
                writer.write(request.encode())
                answer = await reader.read()
            finally:
                writer.close()
    except OSError:  # a time-out is one too
        return None
    rejected = re.search(rb"update_rejected: (\d+)", answer)
    version = re.search(rb'version_text: "([\d.]+)"', answer)
    numbers = version[1].split(b".") if version else ()
    return Loaded(tuple(map(int, numbers)), int(rejected[1])) if rejected else None
