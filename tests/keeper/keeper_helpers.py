"""A keeper as a process of its own, and somebody who gives it orders."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROUTES = {"name": "shop", "virtual_hosts": [{"name": "half"}]}
FALLBACK = {"name": "shop", "virtual_hosts": [{"name": "none"}]}


class RunningKeeper:
    """One `python -m surefoot.keeper`, asked over its socket."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process = self._started()

    def order(self, op: str, **fields: object) -> dict[str, object]:
        if op == "state":
            fields = {"service": None, **fields}
        return json.loads(self.send(json.dumps({"op": op, **fields}).encode() + b"\n"))

    def set(self, **fields: object) -> dict[str, object]:
        """An order to expose change 5, unless told otherwise."""
        usual = {"service": "shop", "change": 5, "epoch": 1, "seq": 1, "lease_s": 30.0}
        return self.order("set", **{**usual, "routes": ROUTES, "fallback": FALLBACK, **fields})

    def send(self, line: bytes) -> bytes:
        """Bytes as they are; what came back, or nothing."""
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(20)
            wire.connect(str(self.home / "keeper" / "keeper.sock"))
            try:
                wire.sendall(line)
                return b"".join(iter(lambda: wire.recv(65_536), b""))
            except (BrokenPipeError, ConnectionResetError):
                return b""

    def shop(self) -> dict[str, object]:
        """What the keeper says of it, and what follows from that."""
        shop = self.order("state", service="shop")["services"]["shop"]
        left = shop["deadline"] - time.clock_gettime(time.CLOCK_BOOTTIME)
        return {**shop, "exposed": shop["routes"] != shop["fallback"], "lease_left": left}

    def told(self, service: str = "shop") -> list[tuple[int, str]]:
        """Changes that were given back, and why, as the journal has them."""
        lines = [line.split(" ", 3) for line in self.order("state")["journal"]]
        return [(int(change), why) for _, name, change, why in lines if name == service]

    def in_place(self, service: str = "shop") -> dict[str, object]:
        """The RouteConfiguration that Envoy would read now."""
        path = self.home / "envoy" / "rds" / service / "rds.json"
        routes = json.loads(path.read_text())["resources"][0]
        del routes["@type"], routes["metadata"]
        return routes

    def restart(self) -> None:
        """Killed without a warning, and started again."""
        self.stop()
        self.process = self._started()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        path = self.home / "keeper" / "keeper.sock"
        path.unlink(missing_ok=True)
        argv = [sys.executable, "-P", "-m", "surefoot.keeper", "--home", str(self.home)]
        process = subprocess.Popen(argv)
        until(lambda: path.exists() and self.order("state", service="shop")["ok"])
        return process


def until(holds: Callable[[], object], limit_s: float = 60.0) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + limit_s
    while not _tolerant(holds):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _tolerant(holds: Callable[[], object]) -> object:
    try:
        return holds()
    except ConnectionRefusedError:  # bound, and not listening yet
        return False
