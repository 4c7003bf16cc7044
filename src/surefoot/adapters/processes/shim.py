"""The exec shim: starts one program so that it outlives whoever asked for it.

Run as a plain script (`python -I -S shim.py [--detach] FILE`), so it imports nothing but the
standard library. FILE is JSON: argv, environment, folder, lock, log, env_file. In order:

1. the log becomes standard output and error, so no pipe breaks when a supervisor dies;
2. the lock is taken, and waited for: a second program on the same lock is a hot standby, and a
   supervisor that was restarted adopts an orphan by waiting behind it. Who waits for a supervisor
   that has died gives way to who waits for the next one;
3. process id, start time and name are written into the lock file: the truth of who runs;
4. the process becomes the program. The lock stays open in it, and ends with it.
"""
# ruff: noqa: PTH115, PTH117, PTH119, PTH123, PTH208 -- pathlib would double the time to start

import fcntl
import json
import os
import signal
import stat
import sys
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import NamedTuple

__all__ = [
    "Stat",
    "end_leftovers",
    "main",
    "members",
    "opened",
    "process_stat",
    "read_env_file",
    "recorded",
    "secret_values",
]

_RECORD_BYTES = 256  # fixed, so that one write replaces the whole record
_SWEEP_S = 1.0
_OWN_NAMES = ("PORT", "SUREFOOT_")  # what a file of secrets may not bend


class Stat(NamedTuple):
    """What /proc says of a living process; `started` in clock ticks since the host started."""

    group: int
    started: int


def main(arguments: list[str]) -> None:
    """Become the program that the file describes; exits with a line in the log when it cannot."""
    detach, path = "--detach" in arguments, arguments[-1]
    with open(path, encoding="utf-8") as file:
        wanted = json.load(file)
    _redirect(wanted["log"])
    if detach and os.fork() > 0:
        os._exit(0)
    if os.getpgrp() != os.getpid():  # a supervisor's child leads its group already
        os.setsid()
    environment = dict(wanted["environment"])
    if wanted["env_file"] is not None:
        environment |= _secrets(wanted["env_file"])
    _take(wanted["lock"], wanted["log"], name=os.path.basename(path))
    _become(wanted["argv"], environment, wanted["folder"])


def read_env_file(path: str) -> dict[str, str]:
    """Read KEY=VALUE lines; blank lines and those that start with # say nothing.

    One pair of quotes around a value is taken off, nothing else is interpreted.

    Raises:
        ValueError: the path is relative, the file is not ours, others may read it, or a line is
            malformed. The message never quotes a value.
        OSError: it cannot be read.
    """
    if not os.path.isabs(path):
        raise ValueError(f"env_file {path!r} is not an absolute path. Write it from / on.")
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, encoding="utf-8") as file:
        seen = os.fstat(handle)
        if not stat.S_ISREG(seen.st_mode):
            raise ValueError(f"env_file {path} is not a regular file.")
        if seen.st_uid != os.geteuid():
            raise ValueError(f"env_file {path} belongs to another user. Try: chown it to this one.")
        if stat.S_IMODE(seen.st_mode) & 0o077:
            raise ValueError(f"env_file {path} can be read by others. Try: chmod 600 {path}")
        return dict(_pairs(path, file))


def secret_values(path: str) -> tuple[str, ...]:
    """The values in a file of secrets, as far as they can be made out, to be kept out of sight.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        pairs = (line.partition("=") for line in file if not line.lstrip().startswith("#"))
        return tuple(_unquoted(value) for _name, equals, value in pairs if equals)


def process_stat(pid: int) -> Stat | None:
    """The group and start of a process, or None when it has ended (a zombie has)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            said = file.read()
    except OSError:
        return None
    # The command's name stands in parentheses and may hold anything, parentheses too.
    fields = said[said.rfind(b")") + 2 :].split()
    if fields[0] in {b"Z", b"X"}:
        return None
    return Stat(group=int(fields[2]), started=int(fields[19]))


def recorded(lock: str) -> tuple[int, int, str] | None:
    """Process id, start (clock ticks) and name that the last holder wrote into its lock file."""
    try:
        with open(lock, encoding="utf-8") as file:
            pid, started, name = file.read(_RECORD_BYTES).split()
            return int(pid), int(started), name
    except (OSError, ValueError):
        return None


def members(group: int) -> Iterator[int]:
    """The living processes of a process group."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            seen = process_stat(int(name))
            if seen is not None and seen.group == group:
                yield int(name)


def end_leftovers(lock: str, log: str) -> None:
    """End the workers of a holder that died: they keep its port and its lock from a successor.

    Only processes of its group that also hold its lock or log open are meant, since a number of
    a group may have been given anew.
    """
    holder = recorded(lock)
    if holder is None or process_stat(holder[0]) is not None:
        return
    ours = {os.path.realpath(lock), os.path.realpath(log)}
    for pid in members(holder[0]):
        if pid != os.getpid() and not ours.isdisjoint(opened(pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def opened(pid: int) -> Iterator[str]:
    """What a process has open, as /proc names it; nothing when that is not ours to know."""
    folder = f"/proc/{pid}/fd"
    try:
        for name in os.listdir(folder):
            yield os.readlink(f"{folder}/{name}")
    except OSError:  # it ended, or is not ours to look into
        return


def _pairs(path: str, lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier() or "\0" in value:
            raise ValueError(f"env_file {path}, line {number}: not KEY=VALUE.")
        yield name.strip(), _unquoted(value)


def _unquoted(value: str) -> str:
    value = value.strip()
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _secrets(path: str) -> dict[str, str]:
    try:
        pairs = read_env_file(path)
    except (OSError, ValueError) as error:
        sys.exit(f"surefoot: {error}")
    return {name: value for name, value in pairs.items() if not name.startswith(_OWN_NAMES)}


def _redirect(log: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        # supervisord polls its end of this pipe for ever, at full speed, once ours is closed
        os.set_inheritable(os.dup(0), True)  # noqa: FBT003 -- the standard library's signature
    os.dup2(nothing, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(nothing)
    os.close(out)


def _take(lock: str, log: str, name: str) -> None:
    held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)

    def sweep(_signal: int, _frame: FrameType | None) -> None:
        end_leftovers(lock, log)
        if _orphaned() and _succeeded():
            sys.exit()

    signal.signal(signal.SIGALRM, sweep)
    signal.setitimer(signal.ITIMER_REAL, _SWEEP_S, _SWEEP_S)
    fcntl.flock(held, fcntl.LOCK_EX)  # goes on waiting after each alarm
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    end_leftovers(lock, log)
    mine = process_stat(os.getpid())
    record = f"{os.getpid()} {mine.started if mine else 0} {name}\n"
    os.pwrite(held, record.ljust(_RECORD_BYTES).encode(), 0)
    os.set_inheritable(held, True)  # noqa: FBT003 -- the signature of the standard library


def _orphaned() -> bool:
    """Whether our parent is no supervisor of ours, whose folder we were started in.

    Its number says nothing: a supervisor may die before its child has asked for it.
    """
    return _identity(str(os.getppid()))[1] != _identity("self")[1]


def _succeeded() -> bool:
    """Whether a younger shim waits for the very same program: a later supervisor's."""
    mine, wanted = process_stat(os.getpid()), _identity("self")
    for name in filter(str.isdigit, os.listdir("/proc")):
        other = process_stat(int(name))
        if mine and other and other.started > mine.started and _identity(name) == wanted:
            return True
    return False


def _identity(pid: str) -> tuple[bytes, str]:
    """What a process was started as, and where; a shim that became its program has another."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(), os.readlink(f"/proc/{pid}/cwd")
    except OSError:  # it ended, or is not ours to look into
        return b"", ""


def _become(argv: list[str], environment: Mapping[str, str], folder: str) -> None:
    # Python ignores these two, and an ignored signal stays ignored in the program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.umask(0o022)
    try:
        os.chdir(folder)
        os.execvpe(argv[0], argv, environment)  # noqa: S606 -- becoming the program is the point
    except OSError as error:
        sys.exit(f"surefoot: cannot run {argv[0]!r} in {folder}: {error.strerror}.")


if __name__ == "__main__":
    main(sys.argv[1:])
