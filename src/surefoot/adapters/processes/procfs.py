"""What the kernel says of processes: who holds a lock, since when, and who listens on a port."""

import fcntl
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from surefoot.adapters.processes.listeners import listening_inodes
from surefoot.adapters.processes.shim import members, opened, process_stat, recorded

__all__ = [
    "Holder",
    "Listening",
    "command",
    "ephemeral_ports",
    "group_of",
    "groups",
    "held",
    "holder",
    "listening",
    "send",
    "takers",
    "who_listens",
]

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that took a lock, leader of its group.

    `ticks` is its start, counted since the host's; `file` the name of what describes it.
    """

    pid: int
    ticks: int
    file: str

    @property
    def started_s(self) -> float:
        """When it started, in seconds after the host did."""
        return self.ticks / _TICKS_PER_S


@dataclass(frozen=True, slots=True)
class Listening:
    """Whether a port is listened on by a process group itself, and whether by anybody else."""

    itself: bool
    others: bool


def held(lock: Path) -> bool:
    """Whether somebody holds this lock now. Waiting for it is not holding it."""
    try:
        handle = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def holder(lock: Path) -> Holder | None:
    """The living process that took this lock, or None; its workers alone do not count."""
    record = recorded(str(lock))
    if record is None:
        return None
    pid, started, file = record
    seen = process_stat(pid)
    if seen is None or seen.started != started or not held(lock):
        return None
    return Holder(pid, started, file)


def takers(lock: Path) -> tuple[int, ...]:
    """Every other process that holds this lock, shares it by birth, or waits for it.

    They have the file open for writing; who only asks about the lock opens it for reading.
    """
    wanted = os.path.realpath(lock)
    return tuple(pid for pid in _processes() if pid != os.getpid() and _writes(pid, wanted))


def command(pid: int) -> tuple[str, ...]:
    """The argv of a process; empty when it has ended."""
    try:
        said = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(part.decode(errors="replace") for part in said.split(b"\0")[:-1])


def group_of(pid: int) -> int | None:
    """The process group of a living process."""
    seen = process_stat(pid)
    return None if seen is None else seen.group


def groups() -> set[int]:
    """All process groups with somebody alive in them."""
    return {group for pid in _processes() if (group := group_of(pid)) is not None}


def send(wanted: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to those of the process groups that are still there."""
    for group in wanted:
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            continue


def listening(group: int | None, port: int) -> Listening:
    """Who listens on this TCP port, seen from a process group (None: nobody is itself)."""
    wanted = {f"socket:[{inode}]" for inode in listening_inodes(port)}
    if not wanted or group is None:
        return Listening(itself=False, others=bool(wanted))
    others = wanted.difference(opened(group))  # its leader holds them all, nearly always
    if others:
        for pid in members(group):
            others.difference_update(opened(pid))
    return Listening(itself=others != wanted, others=bool(others))


def who_listens(port: int) -> tuple[int, ...]:
    """The processes that listen on this TCP port, as far as they are ours to look into."""
    wanted = {f"socket:[{inode}]" for inode in listening_inodes(port)}
    return tuple(pid for pid in _processes() if not wanted.isdisjoint(opened(pid)))


def ephemeral_ports() -> range:
    """The ports that the kernel gives to outgoing connections: not to be listened on."""
    text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    low, high = (int(number) for number in text.split())
    return range(low, high + 1)


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _writes(pid: int, path: str) -> bool:
    folder = Path(f"/proc/{pid}")
    try:
        for entry in (folder / "fd").iterdir():
            if str(entry.readlink()) == path:
                flags = (folder / "fdinfo" / entry.name).read_text(encoding="ascii").split()
                return bool(int(flags[flags.index("flags:") + 1], 8) & os.O_RDWR)
    except OSError:  # it ended, or is not ours to look into
        return False
    return False
