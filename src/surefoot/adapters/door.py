"""The door of the HTTP API: who says nothing holds no place in it for long.

A connection costs a file, and the daemon needs files to look after its services. Whoever has not
said what they want within `SILENT_S` is shown out; so is the one who has been silent the longest,
where more than `MOST_SILENT` are. Who asks something is never turned away for those who do not.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Door"]

SILENT_S = 10.0
MOST_SILENT = 200


class Door(H11Protocol):
    """One connection, from its begin to the end of its first request's head, and then uvicorn's."""

    silent_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own is as narrow
        """Let it in, and somebody out if need be."""
        super().connection_made(transport)
        self.silent_since = self.loop.time()
        self.loop.call_later(SILENT_S, self._show_out)
        silent = [one for one in self.connections if isinstance(one, Door) and one.silent]
        if len(silent) > MOST_SILENT:
            min(silent, key=lambda one: one.silent_since).transport.abort()

    @property
    def silent(self) -> bool:
        """Whether nobody knows yet what it wants."""
        return not self.transport.is_closing() and self.cycle is None

    def _show_out(self) -> None:
        if self.silent:
            self.transport.abort()
