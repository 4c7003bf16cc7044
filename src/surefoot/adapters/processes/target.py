"""Releases as processes on this host: started, watched until ready, looked at, ended."""

import asyncio
import json
import os
import re
import shutil
import signal
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import aiohttp

from surefoot.adapters.processes import procfs
from surefoot.adapters.processes.files import ends, read_text, trim, write_text
from surefoot.adapters.processes.free_ports import choose_ports, default_ports, in_use
from surefoot.adapters.processes.hiding import hidden
from surefoot.adapters.processes.shim import secret_values
from surefoot.adapters.processes.supervisor import SupervisorPrograms
from surefoot.domain.errors import OutsideFailed, Refused
from surefoot.domain.manifest import Address
from surefoot.ports import Clock, Finished, InstanceFacts, Program, ReleaseSpec, Said

__all__ = ["ProcessTarget"]

_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_HOST_NAMES = ("PATH", "LANG", "TZ", "HOME")
_POLL_S = 0.03
_HEALTH_S = 2.0
_PORT_TRIES = 4
_SAID_LINES = 40
_SAID_COMMAND = 200
_SAID_BYTES = 256_000  # of each instance's last lines
_LOG_BYTES = 20_000_000
_REMEMBERED = 5  # ended releases whose output is kept


@dataclass(frozen=True, slots=True)
class _Running:
    """What is remembered beside a release, so that another daemon finds it.

    One that is not our `own` was running before us: it is neither started nor ended here.
    """

    ports: tuple[int, ...]
    env_file: str | None
    own: bool = True


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How an instance got ready, or why not; `code` as a shell's, None at the time limit."""

    ok: bool
    says: str = ""
    code: int | None = 0
    port_taken: bool = False


class ProcessTarget:
    """Implements the Target port over programs that outlive the daemon.

    Each release has a folder `home / "running" / SERVICE / RELEASE` with its state, and for each
    instance its lock and its log. The truth is the living pid in the lock.
    """

    def __init__(
        self,
        home: Path,
        programs: SupervisorPrograms,
        clock: Clock,
        ports: range | None = None,
    ) -> None:
        """Take where to remember releases, who keeps them running, and the ports to give them.

        Without `ports` they come from just outside the range that the kernel lends.
        """
        self._folder = home.resolve() / "running"
        self._programs = programs
        self._clock = clock
        self._ports = default_ports() if ports is None else ports
        self._trimming = threading.Lock()  # a second copy at once would begin in the middle

    async def start(self, spec: ReleaseSpec) -> tuple[InstanceFacts, ...]:
        """Start it, or find it running under the same description.

        The ports in the answer may still change while `ready` waits: look again after it.

        Raises:
            Refused: the service's name is no plain word.
            OutsideFailed: no free ports, or the supervisor does not answer.
        """
        folder = self._release(spec.service, spec.release)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if spec.upstream:
            self._write(spec, _Running((spec.upstream.port,), None, own=False))
            return await self.look(spec.service, spec.release)
        known = self._read(spec.service, spec.release)
        if known is None:
            for log in folder.glob("*.log*"):  # of an earlier life of this release
                log.unlink()
        ports = () if known is None else known.ports
        for index in range(spec.instances, len(ports)):
            await self._programs.drop(_name(spec.service, spec.release, index))
        kept = ports[: spec.instances]
        more = self._choose(spec, spec.instances - len(kept))
        self._write(spec, _Running(kept + more, spec.env_file))
        for index in range(spec.instances):
            await self._programs.keep(self._program(spec, index))
        return await self.look(spec.service, spec.release)

    async def ready(self, spec: ReleaseSpec) -> Finished:
        """Wait until every instance itself listens and its health path answers 2xx or 3xx.

        A port that somebody else took meanwhile is exchanged before the release is held to account.
        """
        began = self._clock.boottime()
        deadline = began + spec.ready_s
        if spec.upstream:
            return await self._upstream_ready(spec, spec.upstream.port, deadline)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_HEALTH_S)) as http:
            outcomes = await asyncio.gather(
                *(
                    self._instance_ready(spec, index, http, deadline)
                    for index in range(spec.instances)
                )
            )
        seconds = self._clock.boottime() - began
        for outcome in outcomes:
            if not outcome.ok:
                said = await self.said(spec.service, spec.release, _SAID_LINES)
                text = f"{outcome.says}\n{_last_words(said)}".strip()
                return Finished(ok=False, code=outcome.code, seconds=seconds, said=text)
        return Finished(ok=True, code=0, seconds=seconds, said="")

    async def look(self, service: str, release: int) -> tuple[InstanceFacts, ...]:
        """Its processes as they are; `started` in epoch seconds; empty when it does not run."""
        known = self._read(service, release)
        if known is None:
            return ()
        return await asyncio.to_thread(self._facts, self._release(service, release), known)

    async def stop(self, service: str, release: int, *, kill: bool = False) -> None:
        """End it, process groups whole; its output stays readable.

        Raises:
            OutsideFailed: a process is still there 5 s after SIGKILL.
        """
        known = self._read(service, release)
        if known is None:
            return
        names = [_name(service, release, index) for index in range(len(known.ports) * known.own)]
        await asyncio.gather(*(self._programs.drop(name, kill=kill) for name in names))
        folder = self._release(service, release)
        (folder / "state.json").replace(folder / "ended.json")
        ended = (int(path.parent.name) for path in folder.parent.glob("*/ended.json"))
        for old in sorted(ended, reverse=True)[_REMEMBERED:]:
            await asyncio.to_thread(shutil.rmtree, self._release(service, old))

    async def running(self, service: str) -> tuple[int, ...]:
        """The releases of a service that are set to run, oldest first."""
        states = (self._folder / service).glob("*/state.json")
        return tuple(sorted(int(path.parent.name) for path in states))

    async def said(self, service: str, release: int, lines: int) -> tuple[Said, ...]:
        """How each instance began and what it wrote last, without the values of its env_file.

        So many lines at most of either, within the first 64 kB and the last 256 kB. There is
        nothing of what somebody else started, nor of what ended before the last five.
        """
        return await asyncio.to_thread(self._said, service, release, lines)

    async def in_the_way(self, listen: Address) -> str | None:
        """Who holds an address where users are to come in, if not this installation itself."""
        return await asyncio.to_thread(self._in_the_way, listen)

    # --- starting ---

    async def _upstream_ready(self, spec: ReleaseSpec, port: int, deadline: float) -> Finished:
        """Wait until what somebody else runs answers its health path."""
        began = self._clock.boottime()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_HEALTH_S)) as http:
            while trouble := await _asked(http, port, spec.health):
                if self._clock.boottime() >= deadline:
                    text = f"What should run already, on port {port}, is not well: {trouble}."
                    return Finished(ok=False, code=None, seconds=spec.ready_s, said=text)
                await self._clock.sleep(_POLL_S)
        seconds = self._clock.boottime() - began
        return Finished(ok=True, code=0, seconds=seconds, said="")

    async def _instance_ready(
        self, spec: ReleaseSpec, index: int, http: aiohttp.ClientSession, deadline: float
    ) -> _Outcome:
        outcome = await self._wait(spec, index, http, deadline)
        for _ in range(_PORT_TRIES - 1):
            if not outcome.port_taken:
                break
            await self._move(spec, index)
            outcome = await self._wait(spec, index, http, deadline)
        return outcome

    async def _wait(
        self, spec: ReleaseSpec, index: int, http: aiohttp.ClientSession, deadline: float
    ) -> _Outcome:
        """Follow one instance on its present port until it is ready, ends, or time is up."""
        lock = self._release(spec.service, spec.release) / f"{index}.lock"
        port = self._port(spec, index)
        first: procfs.Holder | None = None
        says = "it does not run yet"
        while self._clock.boottime() < deadline:
            now = procfs.holder(lock)
            first = first or now
            group = None if first is None else first.pid
            seen = await asyncio.to_thread(procfs.listening, group, port)
            if seen.others:
                return _Outcome(
                    ok=False,
                    says=f"Instance {index} could not have port {port}: another process listens.",
                    port_taken=True,
                )
            if now != first or now is None:
                ended = await self._last_end(_name(spec.service, spec.release, index))
                if ended is not None or first is not None:
                    return _ended(index, ended)
            elif seen.itself:
                trouble = await _asked(http, port, spec.health)
                if trouble is None:
                    return _Outcome(ok=True)
                says = f"it listens on port {port}, but {trouble}"
            else:
                says = f"it does not listen on port {port}, given to it as PORT"
            await self._clock.sleep(_POLL_S)
        text = f"Instance {index} was not ready within {spec.ready_s:g} s: {says}."
        return _Outcome(ok=False, says=text, code=None)

    async def _last_end(self, name: str) -> str | None:
        try:
            return await self._programs.last_end(name)
        except OutsideFailed:  # a supervisor that is away says nothing of the release
            return None

    async def _move(self, spec: ReleaseSpec, index: int) -> None:
        """Give an instance another port."""
        known = self._read(spec.service, spec.release) or _Running((), spec.env_file)
        (port,) = self._choose(spec, 1)
        ports = (*known.ports[:index], port, *known.ports[index + 1 :])
        self._write(spec, replace(known, ports=ports))
        await self._programs.keep(self._program(spec, index))

    def _choose(self, spec: ReleaseSpec, count: int) -> tuple[int, ...]:
        states = self._folder.glob("*/*/state.json")
        taken = {port for state in states for port in json.loads(state.read_text())["ports"]}
        where = f"{self._folder}/{spec.service}/{spec.release}"
        return choose_ports(self._ports, count, taken, where)

    def _port(self, spec: ReleaseSpec, index: int) -> int:
        known = self._read(spec.service, spec.release)
        if known is None or index >= len(known.ports):
            raise Refused(
                f"Release {spec.release} of {spec.service} was not started.",
                cure="Start it, then wait until it is ready.",
            )
        return known.ports[index]

    def _program(self, spec: ReleaseSpec, index: int) -> Program:
        folder = self._release(spec.service, spec.release)
        return Program(
            name=_name(spec.service, spec.release, index),
            argv=spec.argv,
            folder=spec.folder,
            environment=_environment(spec, self._port(spec, index)),
            lock=folder / f"{index}.lock",
            log=folder / f"{index}.log",
            env_file=spec.env_file,
            stop_timeout_s=spec.stop_timeout_s,
        )

    # --- looking ---

    def _facts(self, folder: Path, known: _Running) -> tuple[InstanceFacts, ...]:
        booted = self._booted_at()
        with self._trimming:
            for log in folder.parent.glob("*/*.log"):  # one that is only kept warm may shout, too
                trim(log, _LOG_BYTES)
        if not known.own:
            return tuple(_foreign_fact(port) for port in known.ports)
        return tuple(_fact(folder, index, port, booted) for index, port in enumerate(known.ports))

    def _said(self, service: str, release: int, lines: int) -> tuple[Said, ...]:
        folder = self._release(service, release)
        known = self._read(service, release) or _recall(folder / "ended.json")
        env_file = known.env_file if known else None
        logs = sorted(folder.glob("*.log"), key=lambda log: int(log.stem))
        with self._trimming:
            texts = [(int(log.stem), ends(log, _SAID_BYTES)) for log in logs]
        found = []
        for index, text in texts:
            # A cut might halve a secret, so it comes last.
            first, last = (_without_secrets(one, env_file) for one in text)
            found.append(Said(index, tuple((first or last[:-lines])[:lines]), tuple(last[-lines:])))
        return tuple(found)

    def _in_the_way(self, listen: Address) -> str | None:
        if not in_use(listen):
            return None
        home = str(self._folder.parent)
        for pid in procfs.who_listens(listen.port):
            command = " ".join(procfs.command(pid))
            # Our own proxy keeps the address of a first release that did not come up.
            return None if home in command else f"process {pid} ({command[:_SAID_COMMAND]})"
        return "a process of another user"

    def _booted_at(self) -> float:
        """When the host started, in epoch seconds; the same value until it starts again.

        /proc/stat follows each correction of the wall clock, and a process must not seem to be
        another one because of that.
        """
        identity = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        file = self._folder / "boot.json"
        remembered = read_text(file)
        if remembered is not None and json.loads(remembered)["identity"] == identity:
            return float(json.loads(remembered)["at"])
        at = self._clock.now() - self._clock.boottime()
        write_text(file, json.dumps({"identity": identity, "at": at}))
        return at

    # --- state ---

    def _release(self, service: str, release: int) -> Path:
        if _SERVICE.fullmatch(service) is None:
            raise Refused(
                f"{service!r} cannot name a service.",
                cure="Use letters, digits, dash and underscore, and start with a letter or digit.",
            )
        return self._folder / service / str(release)

    def _read(self, service: str, release: int) -> _Running | None:
        return _recall(self._release(service, release) / "state.json")

    def _write(self, spec: ReleaseSpec, running: _Running) -> None:
        folder = self._release(spec.service, spec.release)
        write_text(folder / "state.json", json.dumps(asdict(running)))


def _name(service: str, release: int, index: int) -> str:
    return f"{service}.r{release}.{index}"


def _environment(spec: ReleaseSpec, port: int) -> dict[str, str]:
    host = {name: os.environ[name] for name in _HOST_NAMES if name in os.environ}
    own = {
        "PORT": str(port),
        "SUREFOOT_RELEASE": str(spec.release),
        "SUREFOOT_SERVICE": spec.service,
    }
    return {**host, **spec.environment, **own}


def _recall(file: Path) -> _Running | None:
    text = read_text(file)
    if text is None:
        return None
    state = json.loads(text)
    return _Running(tuple(state["ports"]), state["env_file"], state.get("own", True))


def _foreign_fact(port: int) -> InstanceFacts:
    """What listens there, whoever runs it: of another user's process no more can be seen."""
    found = procfs.listening(None, port).others
    return InstanceFacts(0, port, pid=None, started=None, listening=found)


def _fact(folder: Path, index: int, port: int, booted_at: float) -> InstanceFacts:
    now = procfs.holder(folder / f"{index}.lock")
    if now is None:
        return InstanceFacts(index, port, pid=None, started=None, listening=False)
    listening = procfs.listening(now.pid, port).itself
    return InstanceFacts(index, port, now.pid, booted_at + now.started_s, listening)


def _ended(index: int, ended: str | None) -> _Outcome:
    """What the supervisor saw ("exit status 3", "terminated by SIGSEGV") as an outcome."""
    code = 1
    match (ended or "").split():
        case ["exit", "status", number]:
            code = int(number)
        case ["terminated", "by", name, *_] if name in signal.Signals.__members__:
            code = -signal.Signals[name]
    text = f"Instance {index} ended before it was ready"
    return _Outcome(ok=False, says=f"{text} ({ended})." if ended else f"{text}.", code=code)


async def _asked(http: aiohttp.ClientSession, port: int, path: str) -> str | None:
    """What is wrong with the answer of a health path, or None."""
    try:
        async with http.get(f"http://127.0.0.1:{port}{path}", allow_redirects=False) as answer:
            healthy = 200 <= answer.status < 400  # noqa: PLR2004 -- HTTP's own classes
            return None if healthy else f"{path} answers {answer.status}"
    except (aiohttp.ClientError, TimeoutError):
        return f"{path} does not answer"


def _last_words(said: tuple[Said, ...]) -> str:
    """What each instance said last, as one text."""
    several = len(said) > 1
    return "\n".join(
        f"[{one.instance}] {line}" if several else line for one in said for line in one.last
    )


def _without_secrets(lines: list[str], env_file: str | None) -> list[str]:
    if env_file is None or not lines:
        return lines
    try:
        secrets = secret_values(env_file)
    except OSError:  # what must be hidden is not known, so only our own shim's lines are shown
        return [line for line in lines if line.startswith("surefoot: ")]
    return hidden("\n".join(lines), secrets).split("\n")
