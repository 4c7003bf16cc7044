"""Speaking to the keeper: one order, one answer."""

import asyncio
import json
from pathlib import Path
from typing import Any

from surefoot.domain.errors import OutsideFailed, Relieved

__all__ = ["KeeperClient"]

_ANSWER_S = 10.0  # the keeper itself waits up to 5 s for Envoy
_LONGEST_ANSWER = 64 << 20
_CURES = {
    "disk": "Free some space; `surefoot give-back` works without any.",
    "rejected": "The keeper put the earlier routes back; see `logs/envoy.log` for the reason.",
}


class KeeperClient:
    """A client of the keeper that never waits longer than 10 s."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def order(self, op: str, **fields: object) -> dict[str, Any]:
        """Send an order and return the answer.

        Raises:
            Relieved: the order comes too late: a newer epoch gives the orders, another change has
                the lease, or the change was given back for good.
            OutsideFailed: no answer, or the keeper could not do it.
        """
        line = json.dumps({"op": op, **fields}).encode() + b"\n"
        try:
            async with asyncio.timeout(_ANSWER_S):
                answer: dict[str, Any] = json.loads(await self._exchange(line))
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            raise OutsideFailed(
                f"The keeper does not answer at {self._socket}: {error!r}.",
                cure="It is started again by itself; its log is `logs/keeper.log` in the home.",
            ) from error
        if answer["ok"]:
            return answer
        if answer["error"] == "late":
            raise Relieved(answer["says"])
        raise OutsideFailed(answer["says"], cure=_CURES.get(answer["error"], ""))

    async def answers(self) -> bool:
        """Whether the keeper is there."""
        try:
            await self.order("state", service=None)
        except OutsideFailed:
            return False
        return True

    async def _exchange(self, line: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._socket, limit=_LONGEST_ANSWER)
        try:
            writer.write(line)
            await writer.drain()
            return await reader.readuntil(b"\n")
        finally:
            writer.close()
