"""The only place that names concrete adapters: a home folder in, a running control plane out."""

import asyncio
import contextlib
import getpass
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from surefoot import __version__
from surefoot.adapters.clock import SystemClock
from surefoot.adapters.commands import CommandChecks, CommandNotifier
from surefoot.adapters.door import Door
from surefoot.adapters.envoy import EnvoyTraffic, envoy_binary
from surefoot.adapters.git import GitScm
from surefoot.adapters.processes import ProcessTarget, SupervisorPrograms
from surefoot.adapters.store import SqliteStore
from surefoot.adapters.telemetry import ProxyTelemetry
from surefoot.domain.change import Person
from surefoot.domain.errors import OutsideFailed, SurefootError
from surefoot.domain.text import clean
from surefoot.engine.control import Control, Health
from surefoot.engine.desk import Desk
from surefoot.engine.driver import Driver
from surefoot.engine.lock import HomeLock
from surefoot.engine.run import Outside
from surefoot.engine.waking import wake_up
from surefoot.ports import Entry

__all__ = ["Face", "run"]

Face = Callable[[Control], ASGIApp]
LOOPBACK = "127.0.0.1"
BEAT_S = 1.0
KEEP_UP_S = 2.0
ROTATE_S = 60.0
log = logging.getLogger(__name__)


def run(home: Path, listen: str | None, face: Face) -> int:
    """Run the control plane in the foreground until it is told to stop. Returns an exit code.

    Args:
        home: the folder of this installation.
        listen: host:port of the API; None: the loopback address, on the port it had last if that
            is free, so that pages that stand open find it again.
        face: makes the application that answers for the control plane.
    """
    os.umask(0o077)  # whatever is written here is for this user alone
    console = logging.StreamHandler()
    console.setFormatter(PlainLines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[console])
    try:
        asyncio.run(serve(home, listen, face))
    except SurefootError as error:
        print(clean(str(error)), file=sys.stderr)  # noqa: T201 -- the foreground's own console
        return 50
    return 0


class PlainLines(logging.Formatter):
    """Log lines that steer no terminal, whatever a commit or a check has said."""

    def format(self, record: logging.LogRecord) -> str:
        """A line, and its further lines marked as such."""
        return clean(super().format(record))


async def serve(home: Path, listen: str | None, face: Face) -> None:
    """Take the lock, bring services back, answer until stopped, let go."""
    clock = SystemClock()
    lock = HomeLock(home, clock)
    await lock.take()
    store = SqliteStore(home / "ledger.db")
    await store.open()
    epoch = await store.next_epoch()
    programs = SupervisorPrograms(home, clock)
    traffic = EnvoyTraffic(home, programs, envoy_binary(os.environ), epoch, clock)
    telemetry = ProxyTelemetry(traffic.admin_socket, traffic.attempts_log, clock)
    outside = Outside(
        clock=clock,
        store=store,
        scm=GitScm(home),
        checks=CommandChecks(),
        programs=programs,
        target=ProcessTarget(home, programs, clock),
        traffic=traffic,
        telemetry=telemetry,
        notifier=CommandNotifier(),
    )
    stopping = asyncio.Event()
    heard: list[Desk] = []

    def hear(entry: Entry) -> None:
        for desk in heard:
            desk.hear(entry)

    driver = Driver(outside, home, hear)
    health = Health(__version__, os.getpid(), epoch, str(home))
    desk = Desk(driver, health, stopping.set)
    heard.append(desk)
    chores = [
        asyncio.create_task(_beat(lock, clock)),
        asyncio.create_task(_keep_up(outside)),
        asyncio.create_task(_rotate(traffic, clock)),
    ]
    try:
        await outside.programs.start()
        await outside.traffic.start()
        await _owner(desk, home)
        await wake_up(driver)
        await _answer(face(desk), listen, lock, epoch, stopping)
    finally:
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await driver.stop()
        if desk.ends_all:
            await _end_all(outside, list(driver.runs))
        await telemetry.close()
        await store.close()
        lock.release()


async def _end_all(outside: Outside, services: list[str]) -> None:
    """Releases first, each by its own stop timeout; then the proxy, the keeper and the rest."""
    for service in services:
        with contextlib.suppress(OutsideFailed):
            releases = await outside.target.running(service)
            await asyncio.gather(*(outside.target.stop(service, one) for one in releases))
    await outside.programs.stop()


async def _beat(lock: HomeLock, clock: SystemClock) -> None:
    """As long as the loop turns, the heartbeat is fresh; a frozen process has none."""
    while True:
        with contextlib.suppress(OSError):
            lock.beat()
        await clock.sleep(BEAT_S)


async def _keep_up(outside: Outside) -> None:
    """What keeps the others alive is itself started again when it has died."""
    while True:
        await outside.clock.sleep(KEEP_UP_S)
        try:
            await outside.programs.start()
        except OutsideFailed as failed:
            log.warning("%s", failed)


async def _rotate(traffic: EnvoyTraffic, clock: SystemClock) -> None:
    """The attempt log stays small."""
    while True:
        await clock.sleep(ROTATE_S)
        try:
            await traffic.rotate_logs()
        except (OutsideFailed, OSError) as failed:
            log.warning("the attempt log was not rotated: %s", failed)


async def _owner(desk: Desk, home: Path) -> None:
    """The person who runs it on this host gets the first token, readable by them alone."""
    file = home / "token"
    if file.exists():
        return
    name = getpass.getuser()
    person = await _git_person() or Person(name, f"{name}@{socket.gethostname()}")
    _, secret = await desk.new_token(person, person)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(secret + "\n")


async def _git_person() -> Person | None:
    """Who git says is here, so that what they commit and what they order have one name."""
    values = []
    for key in ("user.name", "user.email"):
        process = await asyncio.create_subprocess_exec(
            "git", "config", "--global", key, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        values.append(output.decode(errors="replace").strip())
    return Person(*values) if all(values) else None


def _listener(listen: str | None, home: Path) -> socket.socket:
    """Where the API answers: where we were told to, else at the last port, else at any."""
    last = home / "port"
    if listen is not None:
        host, _, port = listen.rpartition(":")
        listener = socket.create_server((host or LOOPBACK, int(port)))
    else:
        try:
            listener = socket.create_server((LOOPBACK, int(last.read_text(encoding="utf-8"))))
        except (OSError, ValueError, OverflowError):  # none, taken by somebody, or not a port
            listener = socket.create_server((LOOPBACK, 0))
    with contextlib.suppress(OSError):  # a full disk costs no more than the same port next time
        last.write_text(f"{listener.getsockname()[1]}\n", encoding="utf-8")
    return listener


async def _answer(
    app: ASGIApp, listen: str | None, lock: HomeLock, epoch: int, stopping: asyncio.Event
) -> None:
    """Serve the API until somebody stops us."""
    listener = _listener(listen, lock.home)
    host, bound = listener.getsockname()[:2]
    config = uvicorn.Config(
        app,
        http=Door,
        # Errors alone are logged: strangers must not fill the disk with requests that are none.
        log_level="error",
        timeout_graceful_shutdown=2,
        # A proxy of this host says by X-Forwarded-Proto that a request came by https.
        forwarded_allow_ips=[LOOPBACK, "::1"],
    )
    server = uvicorn.Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    serving = asyncio.create_task(server._serve([listener]))  # noqa: SLF001 -- serve() would take over our signals
    lock.announce(f"{host}:{bound}", epoch)
    log.info("Surefoot answers on http://%s:%s", host, bound)
    await stopping.wait()
    await asyncio.sleep(0.1)  # the order to stop is answered before the door closes
    server.should_exit = True
    await serving
