"""`python -m surefoot.keeper --home DIR`: one JSON object a line, over a Unix socket of its own."""

import argparse
import asyncio
import contextlib
import json
import os
import re
import time
from functools import partial
from pathlib import Path
from typing import Any

from surefoot.keeper.keeper import Keeper, Refusal

_LONGEST, _IDLE_S = 1 << 20, 60.0
_NAME, _NUMBER, _SECONDS = r'"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"', r"\d{1,15}", r"\d{1,3}(\.\d+)?"
_ORDERS = {  # the fields of each order, and the JSON that fits them
    "set": {
        "service": _NAME,
        "change": f"{_NUMBER}|null",
        "epoch": _NUMBER,
        "seq": _NUMBER,
        "routes": r"\{.*\}",
        "fallback": r"\{.*\}",
        "lease_s": f"{_SECONDS}|null",
    },
    "renew": {"service": _NAME, "change": _NUMBER, "epoch": _NUMBER, "lease_s": _SECONDS},
    "give_back": {"service": _NAME, "why": '".*"'},
    "state": {"service": f"{_NAME}|null"},
}


def main() -> None:
    """Serve until a successor is there."""
    parser = argparse.ArgumentParser(prog="surefoot.keeper", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="Surefoot's home folder")
    os.umask(0o077)
    asyncio.run(_run(parser.parse_args().home))


async def _run(home: Path) -> None:
    keeper, socket = Keeper(home), home / "keeper" / "keeper.sock"
    socket.unlink(missing_ok=True)
    async with await asyncio.start_unix_server(partial(_serve, keeper), socket, limit=_LONGEST):
        socket.chmod(0o600)  # its folder was never open to others
        await keeper.watch()


async def _serve(keeper: Keeper, reader: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    # Who is gone, is silent for too long or sends without end gets no answer.
    with contextlib.closing(to), contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError):
        async with asyncio.timeout(_IDLE_S):
            line = await reader.readuntil(b"\n")
        to.write(json.dumps(await _answer(keeper, line)).encode() + b"\n")
        await to.drain()


async def _answer(keeper: Keeper, line: bytes) -> dict[str, Any]:
    started = time.monotonic()
    try:
        answer = await _understood(keeper, line)
    except Refusal as refusal:
        return {"ok": False, "error": refusal.args[0], "says": refusal.args[1]}
    return {"ok": True, "seconds": time.monotonic() - started, **answer}


def _understood(keeper: Keeper, line: bytes) -> Any:
    with contextlib.suppress(ValueError, TypeError, LookupError, AttributeError, RecursionError):
        order = json.loads(line)
        op = order.pop("op")
        looks = _ORDERS[op]
        fits = {key for key in order if re.fullmatch(looks[key], json.dumps(order[key]))}
        if fits == looks.keys():
            return getattr(keeper, op)(**order)
    raise Refusal("bad", "This is not an order: no such op, or not the fields that it needs.")


if __name__ == "__main__":
    main()
