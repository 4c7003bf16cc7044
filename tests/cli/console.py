"""The command line as its users meet it: a process of its own, in a real git repository."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

RECORDED = Path(__file__).parents[1] / "api" / "recorded.py"
MANIFEST = '[service]\nname = "{}"\nlisten = "127.0.0.1:8080"\n'
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def object(self) -> Any:
        """The one JSON object on standard output."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Console:
    """Somebody's console: a home, a repository, a token."""

    home: Path
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SUREFOOT")}
        return kept | {"SUREFOOT_HOME": str(self.home)} | more

    def __call__(
        self,
        *arguments: str,
        sent: str | None = None,
        terminal: IO[bytes] | None = None,
        **environment: str,
    ) -> Said:
        """Type a command; it reads what is `sent`, or from a `terminal`."""
        read: dict[str, Any] = {"input": sent} if terminal is None else {"stdin": terminal}
        done = subprocess.run(
            [sys.executable, "-m", "surefoot", *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            **read,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def leave(self, *arguments: str, at: str) -> Said:
        """Type a command, and Ctrl-C once it has printed `at`."""
        # A suite that runs in the background ignores Ctrl-C, and its children would inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        running = subprocess.Popen(
            [sys.executable, "-u", "-m", "surefoot", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        signal.signal(signal.SIGINT, before)
        assert running.stdout is not None
        seen = ""
        while at not in seen:
            line = running.stdout.readline()
            assert line, f"it ended without saying {at!r}: {seen}"
            seen += line
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE_S)
        return Said(running.returncode, seen + out, err)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, subject: str) -> str:
        """An empty commit; returns its hash. Its subject names the journey of its change."""
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def ledger(self) -> list[dict[str, Any]]:
        """What the control plane was told."""
        told: list[dict[str, Any]] = []
        for service in self("status", "--json").object["services"]:
            told += self("why", "--service", service["name"], "--json").object["ledger"]
        return told


def repository(folder: Path, service: str = "shop") -> Path:
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / "surefoot.toml").write_text(MANIFEST.format(service))
    return folder


@contextmanager
def recorded(home: Path) -> Iterator[None]:
    """A control plane with recorded facts, as a process that writes its address to the home."""
    running = subprocess.Popen([sys.executable, str(RECORDED), str(home)])
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (home / "daemon.json").exists():
            assert running.poll() is None, "the recorded control plane ended"
            assert time.monotonic() < deadline, "the recorded control plane does not answer"
            time.sleep(0.02)
        yield
    finally:
        running.kill()
        running.wait()


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A console beside a running control plane."""
    with recorded(tmp_path / "home"):
        yield Console(tmp_path / "home", repository(tmp_path / "shop"))


@pytest.fixture
def lonely(tmp_path: Path) -> Console:
    """A console where no control plane ever ran."""
    return Console(tmp_path / "home", repository(tmp_path / "shop"))
