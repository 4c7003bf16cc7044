"""The daemon: the control plane with the HTTP API as its face."""

from pathlib import Path

from surefoot import bootstrap
from surefoot.api.app import create_app

__all__ = ["main"]


def main(home: Path, listen: str | None = None) -> int:
    """Run in the foreground until told to stop. Returns an exit code."""
    return bootstrap.run(home, listen, create_app)
