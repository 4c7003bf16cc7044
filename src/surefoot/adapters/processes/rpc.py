"""Calls to the supervisor over its Unix socket."""

import asyncio
import http.client
import os
import socket
import xmlrpc.client
from pathlib import Path

from supervisor.xmlrpc import Faults

from surefoot.domain.errors import OutsideFailed

__all__ = ["SupervisorRpc"]

_ANSWER_S = 2.0  # a supervisor that is silent for longer is replaced; nothing it keeps notices


class SupervisorRpc:
    """The supervisor's own commands, one connection for each."""

    def __init__(self, folder: Path) -> None:
        """Take the folder in which the supervisor runs."""
        self._folder = folder

    async def call(self, method: str, *arguments: object, unless: int | None = None) -> object:
        """Ask the supervisor; None when it answers with the fault `unless`.

        Raises:
            OutsideFailed: it refuses, or does not answer within 2 s.
        """
        try:
            return await asyncio.to_thread(self._ask, method, arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == unless:
                return None
            raise OutsideFailed(f"The supervisor refused {method}: {fault.faultString}.") from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise OutsideFailed(
                f"The supervisor of releases and proxy does not answer ({error}).",
                cure="`surefoot up` starts it again; what it keeps goes on running.",
            ) from error

    async def info(self, name: str) -> dict[str, object] | None:
        """What it says of a program, or None when it does not know it; a death is noticed now."""
        said = await self.call("getProcessInfo", f"{name}:{name}", unless=Faults.BAD_NAME)
        return said if isinstance(said, dict) else None

    def _ask(self, method: str, arguments: tuple[object, ...]) -> object:
        # Through the folder's handle, since the path of a socket may have no more than 107 bytes.
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            transport = _Transport(f"/proc/self/fd/{handle}/supervisord.sock")
            with xmlrpc.client.ServerProxy("http://supervisor/RPC2", transport) as server:
                answer: object = getattr(server.supervisor, method)(*arguments)
                return answer
        finally:
            os.close(handle)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("supervisor", timeout=_ANSWER_S)
        self._path = path

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_ANSWER_S)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            raise
        self.sock = connection


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> http.client.HTTPConnection:
        connection = _Connection(self._path)
        self._connection = (host, connection)  # what `close` of the base class ends
        return connection
