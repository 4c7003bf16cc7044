"""Where the daemon is, and the key to it.

`SUREFOOT_HOME` (default `~/.surefoot`) holds `daemon.json`, written by a living daemon, and
`token`, the key of the person who runs it on this host. `SUREFOOT_URL` and `SUREFOOT_TOKEN` win
over both.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Address", "address_of", "daemon_pid", "home_folder", "token_of"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the daemon answers: an address such as `http://127.0.0.1:7070`."""

    url: str


def home_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The home of this installation."""
    return Path(environment.get("SUREFOOT_HOME") or "~/.surefoot").expanduser().absolute()


def address_of(environment: Mapping[str, str] = os.environ) -> Address | None:
    """Where the daemon said that it answers; None when no daemon ever did."""
    if url := environment.get("SUREFOOT_URL"):
        return Address(url.rstrip("/"))
    address = _daemon(home_folder(environment)).get("address")
    return Address(f"http://{address}") if isinstance(address, str) else None


def daemon_pid(home: Path) -> int | None:
    """The process that the home names as its daemon; it may be gone."""
    pid = _daemon(home).get("pid")
    return pid if isinstance(pid, int) else None


def token_of(environment: Mapping[str, str] = os.environ) -> str | None:
    """The key to the daemon, or None when there is none on this host."""
    if token := environment.get("SUREFOOT_TOKEN"):
        return token
    try:
        return (home_folder(environment) / "token").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _daemon(home: Path) -> dict[str, object]:
    try:
        named = json.loads((home / "daemon.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return named if isinstance(named, dict) else {}
