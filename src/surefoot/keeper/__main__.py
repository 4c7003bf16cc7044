"""`python -m surefoot.keeper --home DIR`: one JSON object a line, over a Unix socket of its own."""

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from surefoot.keeper.keeper import Keeper, Refusal, Relieved, Service

_LONGEST_LINE = 1 << 20
_IDLE_S = 60.0
_LONGEST_LEASE_S = 3600.0
_RELIEVED = 3  # the exit code of a keeper that was replaced


def main() -> int:
    """Serve until a successor is there."""
    parser = argparse.ArgumentParser(prog="surefoot.keeper", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="Surefoot's home folder")
    os.umask(0o077)
    try:
        asyncio.run(_run(parser.parse_args().home))
    except Relieved:
        return _RELIEVED
    return 0


async def _run(home: Path) -> None:
    keeper = Keeper(home)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_IDLE_S):
                line = await reader.readuntil(b"\n")
            writer.write(json.dumps(await _answer(keeper, line)).encode() + b"\n")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # gone, silent for too long, or sending without end: there is nobody to answer
        finally:
            writer.close()

    socket = home / "keeper" / "keeper.sock"
    socket.unlink(missing_ok=True)
    async with await asyncio.start_unix_server(serve, socket, limit=_LONGEST_LINE):
        socket.chmod(0o600)  # its folder was never open to others
        await keeper.watch()


async def _answer(keeper: Keeper, line: bytes) -> dict[str, object]:
    try:
        return {"ok": True, **await _ordered(keeper, json.loads(line))}
    except Refusal as refusal:
        return {"ok": False, "error": refusal.error, "says": str(refusal)}
    except Relieved:
        return {"ok": False, "error": "relieved", "says": "Another keeper took over."}
    except (ValueError, RecursionError) as error:
        return {"ok": False, "error": "bad", "says": f"This is not an order: {error}."}


def _ordered(keeper: Keeper, order: Any) -> Awaitable[dict[str, object]]:
    """Which act an order is for. Raises `ValueError` for whatever is not one."""
    if not isinstance(order, dict):
        raise ValueError("not an object")  # noqa: TRY004 -- one error for all that does not fit
    for key, value in order.items():
        if key not in _FITS or not _FITS[key](value):
            raise ValueError(f"{key[:40]!r} is unknown, or its value does not fit")
    op, rest = order.pop("op", None), order
    match op, rest:
        case "set", {"service": name, "lease_s": lease_s, **fields} if fields.keys() == _SET:
            return keeper.set(name, Service(**fields, lease_s=lease_s))
        case "renew", {"service": name, "change": int(change), "epoch": epoch, "lease_s": lease_s}:
            return keeper.renew(name, change, epoch, lease_s)
        case "give_back", {"service": name, "why": why}:
            return keeper.give_back(name, why)
        case "forget", {"service": name, "epoch": epoch}:
            return keeper.forget(name, epoch)
        case "state", _:
            return keeper.state(rest.get("service"))
    raise ValueError("there is no such op, or one of its fields is missing")


def _whole(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 53


def _lease(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and 0 < value <= _LONGEST_LEASE_S)


_SET = {"change", "epoch", "seq", "routes", "fallback"}
_FITS: dict[str, Callable[[Any], bool]] = {
    "op": lambda value: isinstance(value, str),
    "service": lambda value: (
        isinstance(value, str) and bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", value))
    ),
    "change": lambda value: value is None or _whole(value),
    "epoch": _whole,
    "seq": _whole,
    "routes": lambda value: isinstance(value, dict),
    "fallback": lambda value: isinstance(value, dict),
    "lease_s": _lease,
    "why": lambda value: isinstance(value, str),
}


if __name__ == "__main__":
    sys.exit(main())
