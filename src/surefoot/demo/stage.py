"""Everything that the demo starts, in one place: a control plane, customers, a folder.

Leaving the stage ends all of it whatever happened, children of children included: while it stands,
this process adopts every orphan below it (a *subreaper*), so nothing can slip away by detaching.
Should this process be killed, each part's guard does the same.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec

from surefoot.demo.descendants import LOOK_EVERY_S, POLITE_S, adopt_orphans, end_descendants
from surefoot.demo.errors import DemoError
from surefoot.demo.repository import with_our_python

__all__ = ["Counts", "Stage", "free_port"]

PORTS = range(8080, 8180)  # outside the ephemeral range, so nobody gets one by chance
UP_LIMIT_S = 60.0
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # each ends all of it
LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Counts:
    """What customers have seen so far."""

    sent: int = 0
    unanswered: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """Requests that got any answer."""
        return sum(self.statuses.values())

    @property
    def failed_by_switching(self) -> int:
        """No answer, or one that only a proxy gives; the shop itself answers 200 or 500."""
        return self.unanswered + sum(self.statuses.get(code, 0) for code in ("502", "503", "504"))


@dataclass(frozen=True, slots=True)
class _Daemon:
    address: str


class Stage:
    """A folder with a control plane and customers. Use as a context."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._daemon: subprocess.Popen[bytes] | None = None
        self._load: subprocess.Popen[bytes] | None = None
        # Unix socket paths end at 107 bytes, so this stays near the root.
        self.folder = Path(tempfile.mkdtemp(prefix="surefoot-", dir=_short_temporary()))
        self.home = self.folder / "home"
        self.shop = self.folder / "shop"
        self._counts = self.folder / "customers.json"
        self._log = self.folder / "daemon.log"

    def __enter__(self) -> Self:
        for one in INTERRUPTS:
            signal.signal(one, signal.default_int_handler)
        adopt_orphans()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything, unless it is to be kept."""
        if self._keep:
            return
        # A second Ctrl-C must not leave half of it running; ending is bounded anyway.
        for one in INTERRUPTS:
            signal.signal(one, signal.SIG_IGN)
        try:
            self.close_shop()
            end_descendants()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start_control_plane(self) -> str:
        """Start it and wait until it says where it listens; returns its address."""
        self.home.mkdir(mode=0o700)
        self._daemon = self._start("daemon.log", "-m", "surefoot", "up", "--foreground")
        said = self.home / "daemon.json"
        deadline = time.monotonic() + UP_LIMIT_S
        while not (said.exists() and (self.home / "token").exists()):
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"The control plane did not come up within {UP_LIMIT_S:.0f} s.")
            time.sleep(LOOK_EVERY_S)
        return msgspec.json.decode(said.read_bytes(), type=_Daemon).address

    def owner_token(self) -> str:
        """The token of whoever started the control plane."""
        return (self.home / "token").read_text(encoding="utf-8").strip()

    def open_shop(self, port: int) -> None:
        """Let the customers come."""
        self._load = self._start(
            "customers.log",
            *("-m", "surefoot.demo.load", "--port", str(port), "--counts", str(self._counts)),
        )

    def answers(self, port: int) -> bool:
        """Whether the shop is open behind this port."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def close_shop(self) -> None:
        """Let no more customers come; those inside are still served."""
        if self._load is not None and self._load.poll() is None:
            self._load.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._load.wait(POLITE_S)

    def counts(self) -> Counts:
        """What customers have seen so far."""
        try:
            return msgspec.json.decode(self._counts.read_bytes(), type=Counts)
        except FileNotFoundError:  # nobody came yet
            return Counts()

    def check(self) -> None:
        """Raise when a part ended too early."""
        if self._daemon is not None and self._daemon.poll() is not None:
            raise DemoError(f"The control plane ended with {self._daemon.returncode}.")
        if self._load is not None and self._load.poll() is not None:
            raise DemoError(f"The customers ended with {self._load.returncode}.")

    def log_end(self) -> list[str]:
        """The last lines of the control plane's log."""
        try:
            said = self._log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return said.splitlines()[-LOG_LINES:]

    def how_to_stop(self) -> list[str]:
        """The commands that end what `--keep` kept."""
        customers = f"{self._load.pid} " if self._load else ""
        return [
            f"  SUREFOOT_HOME={self.home} {_surefoot()} down",
            f"  kill {customers}$(cat {self.home}/supervisor/supervisord.pid)",
            f"  sleep 5; rm -r {self.folder}",
        ]

    def _start(self, log: str, *words: str) -> subprocess.Popen[bytes]:
        environment = with_our_python({**os.environ, "SUREFOOT_HOME": str(self.home)})
        guard = () if self._keep else ("-m", "surefoot.demo.guard", str(self.folder))
        with (self.folder / log).open("ab") as said:
            return subprocess.Popen(
                [sys.executable, *guard, *words],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE if guard else subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,  # a terminal's Ctrl-C is for the demo alone
            )


def free_port() -> int:
    """A port on this machine where nobody listens."""
    for port in PORTS:
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise DemoError(f"No free port between {PORTS.start} and {PORTS.stop - 1}.")


def _surefoot() -> str:
    return "surefoot" if shutil.which("surefoot") else f"{Path(sys.executable).parent}/surefoot"


def _short_temporary() -> str:
    longest = 24
    chosen = tempfile.gettempdir()
    return chosen if len(chosen) <= longest else "/tmp"  # noqa: S108 -- mkdtemp makes it ours
