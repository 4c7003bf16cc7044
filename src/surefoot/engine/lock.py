"""One active control plane for a home: an exclusive lock, a heartbeat, and an epoch.

The lock ends with its holder. A holder that lives is never pushed aside; one whose heartbeat is
stale is ended by pid *and* start time, so that a reused pid is nobody's harm.
"""

import contextlib
import fcntl
import json
import os
import signal
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from surefoot.domain.errors import Refused
from surefoot.ports import Clock

__all__ = ["Holder", "HomeLock", "started_at"]

STALE_S = 10.0
END_WAIT_S = 5.0
LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a home. `started` is the kernel's start time of the process, in clock ticks."""

    pid: int
    started: int
    address: str
    epoch: int


class HomeLock:
    """The lock on a home folder, held as long as this object's file is open."""

    def __init__(self, home: Path, clock: Clock) -> None:
        """Take the folder and a clock; `take` takes the lock."""
        self.home = home
        self.clock = clock
        self._file: int | None = None

    async def take(self) -> None:
        """Hold the lock.

        Raises:
            Refused: another control plane lives here; its pid is named.
        """
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if stat.S_IMODE(self.home.stat().st_mode) & 0o077:  # somebody made it before us
            self.home.chmod(0o700)
        self._file = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._locked():
            return
        holder = read_holder(self.home)
        if holder is None or self._alive(holder):
            who = f" (pid {holder.pid}, {holder.address})" if holder else ""
            raise Refused(
                f"A control plane already runs in {self.home}{who}.",
                cure="Use it, or stop it with `surefoot down`.",
            )
        await self._end(holder)

    def _locked(self) -> bool:
        assert self._file is not None  # noqa: S101 -- opened by take
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _alive(self, holder: Holder) -> bool:
        """Whether its heartbeat is fresh, or it is not the process that we would end."""
        try:
            beat = (self.home / "heartbeat").stat().st_mtime
        except FileNotFoundError:
            return True
        return self.clock.boottime() - beat < STALE_S or started_at(holder.pid) != holder.started

    async def _end(self, holder: Holder) -> None:
        """A frozen holder is ended; the kernel then gives its lock free."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGKILL)
        deadline = self.clock.boottime() + END_WAIT_S
        while not self._locked():
            if self.clock.boottime() > deadline:
                raise Refused(
                    f"The control plane with pid {holder.pid} does not end.",
                    cure=f"End it by hand: kill -9 {holder.pid}",
                )
            await self.clock.sleep(LOOK_S)

    def announce(self, address: str, epoch: int) -> None:
        """Tell others who holds this home, and where it answers."""
        holder = Holder(os.getpid(), started_at(os.getpid()) or 0, address, epoch)
        draft = self.home / "daemon.json.new"
        draft.write_text(json.dumps(asdict(holder)), encoding="utf-8")
        draft.chmod(0o600)
        draft.replace(self.home / "daemon.json")
        self.beat()

    def beat(self) -> None:
        """Say that this process lives. Needs no disk space: only a time changes.

        It is the boottime, which nobody can set: a stepped wall clock must make no holder stale.
        """
        heartbeat = self.home / "heartbeat"
        heartbeat.touch(mode=0o600)
        now = self.clock.boottime()
        os.utime(heartbeat, (now, now))

    def release(self) -> None:
        """Let go, in good order."""
        with contextlib.suppress(FileNotFoundError):
            (self.home / "daemon.json").unlink()
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_holder(home: Path) -> Holder | None:
    """Who announced themselves in a home, or None."""
    try:
        return Holder(**json.loads((home / "daemon.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def started_at(pid: int) -> int | None:
    """The kernel's start time of a process in clock ticks since boot; None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])
