"""What is missing on this installation, and the cure: each finding is one look."""

import shutil
import socket
import sqlite3
from pathlib import Path

from surefoot.domain.errors import OutsideFailed
from surefoot.engine.learning import learnt
from surefoot.engine.observe import room_left
from surefoot.engine.planning import metric_plans
from surefoot.engine.run import Outside, ServiceRun
from surefoot.engine.status import DoctorFinding

__all__ = ["examine"]

RELEASES = 4
OLD_SQLITE = (3, 35, 0)
PROMISED = 0.01  # false alarms in a rollout, at most


async def examine(
    outside: Outside, home: Path, runs: list[ServiceRun]
) -> tuple[DoctorFinding, ...]:
    """Look at the host, the proxy, and each service."""
    findings = [_git(), _sqlite(), _disk(home), _same_user()]
    for run in runs:
        if run.parked:
            findings.append(_parked(run))
        else:
            findings += await _service(outside, run)
    if not runs:
        says = "No service is known yet."
        findings.append(DoctorFinding("services", ok=True, says=says))
    return tuple(findings)


def _parked(run: ServiceRun) -> DoctorFinding:
    says, cure = f"It is parked: {run.parked}.", "Start the newer Surefoot again."
    return DoctorFinding(run.name, ok=False, says=says, cure=cure)


def _git() -> DoctorFinding:
    found = shutil.which("git")
    if found:
        return DoctorFinding("git", ok=True, says="git is here.")
    return DoctorFinding("git", ok=False, says="git is not on the PATH.", cure="Install git.")


def _sqlite() -> DoctorFinding:
    version = sqlite3.sqlite_version
    ok = sqlite3.sqlite_version_info >= OLD_SQLITE
    cure = "" if ok else "Use a Python that is linked to SQLite 3.35 or newer."
    return DoctorFinding("SQLite", ok=ok, says=f"SQLite {version}.", cure=cure)


def _disk(home: Path) -> DoctorFinding:
    free = shutil.disk_usage(home).free / 1e9
    ok = room_left(home)
    cure = "" if ok else "Free some space: below 500 MB or 2 % nothing new is exposed."
    return DoctorFinding("disk", ok=ok, says=f"{free:.1f} GB are free.", cure=cure)


def _same_user() -> DoctorFinding:
    says = "Checks run as the same operating-system user as Surefoot: they can read its files."
    return DoctorFinding("isolation", ok=True, says=says)


async def _service(outside: Outside, run: ServiceRun) -> list[DoctorFinding]:
    return [*(await _served(outside, run)), await _placebos(outside, run), _notify(run)]


async def _placebos(outside: Outside, run: ServiceRun) -> DoctorFinding:
    """How often *worse* is said here of what cannot be worse, against what is promised."""
    rate = (await learnt(outside, run)).false_alarms
    name, says = f"{run.name} false alarms", f"{rate.says[:1].upper()}{rate.says[1:]}."
    if rate.low > PROMISED:
        cure = "`surefoot log --outcome restored` names these runs, `surefoot why N` each reason."
        return DoctorFinding(name, ok=False, says=f"{says} More than 1 % is too many.", cure=cure)
    if rate.runs or run.drill or not run.starts_live:
        return DoctorFinding(name, ok=True, says=says)
    cure = f"surefoot drill placebo {run.name} --times 30 --every 1d"
    return DoctorFinding(name, ok=True, says=says, cure=cure)


def _notify(run: ServiceRun) -> DoctorFinding:
    """Whether anybody hears of it when a service was given back; without it, all is as well."""
    name = f"{run.name} notify"
    command = run.manifest.notify.run
    if not command:
        cure = 'Add run = ["your-command"] below [notify] in surefoot.toml.'
        says = "Nobody is told when a change is restored, held or verified."
        return DoctorFinding(name, ok=True, says=says, cure=cure)
    if run.untold:
        cure = "Try that command by hand: it reads a sentence on standard input."
        return DoctorFinding(name, ok=False, says=run.untold, cure=cure)
    return DoctorFinding(name, ok=True, says=f"The team is told by {command[0]}.")


async def _served(outside: Outside, run: ServiceRun) -> list[DoctorFinding]:
    lane = run.lane
    if lane.live is None:
        says = f"{run.name}: nothing is live yet."
        cure = "Type `surefoot adopt HEAD` in its folder."
        return [DoctorFinding(run.name, ok=False, says=says, cure=cure), _port(run)]
    return [
        *(await _routes(outside, run)),
        _traffic(run),
        *_metrics(run),
        await _memory(outside, run),
    ]


def _port(run: ServiceRun) -> DoctorFinding:
    """Whether users can come in where nothing of this service is live yet."""
    listen, name = run.manifest.listen, f"{run.name} port"
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((listen.host, listen.port))
        except OSError as error:
            says = f"Nobody can listen on {listen} now: {error.strerror}."
            cure = "End what listens there, or give [service] another `listen`."
            return DoctorFinding(name, ok=False, says=says, cure=cure)
    return DoctorFinding(name, ok=True, says=f"{listen} is free.")


async def _routes(outside: Outside, run: ServiceRun) -> list[DoctorFinding]:
    try:
        seen = await outside.traffic.seen(run.name)
    except OutsideFailed as failed:
        return [DoctorFinding(f"{run.name} proxy", ok=False, says=failed.message, cure=failed.cure)]
    ok = seen.routes is not None
    says = f"The proxy serves {run.name} on {run.manifest.listen}."
    if ok:
        return [DoctorFinding(f"{run.name} proxy", ok=True, says=says)]
    cure = "Look into the proxy's log in the home folder."
    says = f"The proxy does not serve {run.name}."
    return [DoctorFinding(f"{run.name} proxy", ok=False, says=says, cure=cure)]


def _traffic(run: ServiceRun) -> DoctorFinding:
    """Whether the traffic is enough to verify anything within the time limit."""
    per_s, _ = run.watch.rates()
    limit = run.manifest.rollout.time_limit_s
    name = f"{run.name} traffic"
    if per_s * limit < 500:  # noqa: PLR2004 -- below this even a margin of 10 points needs luck
        says = f"{per_s:.1f} requests/s: too little to verify a change within {limit:.0f} s."
        cure = "Give [rollout] time_limit more time, or accept changes by hand."
        return DoctorFinding(name, ok=False, says=says, cure=cure)
    return DoctorFinding(name, ok=True, says=f"{per_s:.0f} requests/s.")


def _metrics(run: ServiceRun) -> list[DoctorFinding]:
    """Declared metrics of which the last look had no sample that can be used."""
    last = run.watch.last
    missing = set(last.missing) if last else set()
    return [
        DoctorFinding(
            f"{run.name} {plan.name}",
            ok=plan.name not in missing,
            says="has no usable sample" if plan.name in missing else "has samples",
            cure=f"Does the service print it on {run.manifest.release.metrics}, and does its "
            "`total` count what its `bad` or `good` counts?"
            if plan.name in missing
            else "",
        )
        for plan in metric_plans(run.manifest.metrics)
        if plan.group == "declared"
    ]


async def _memory(outside: Outside, run: ServiceRun) -> DoctorFinding:
    """Whether four releases of the service fit beside each other."""
    lane = run.lane
    instances = await outside.target.look(run.name, lane.live.number) if lane.live else ()
    used = sum(_resident(one.pid) for one in instances if one.pid)
    free = _available()
    ok = used * RELEASES <= free + used
    says = f"One release uses {used / 1e6:.0f} MB; {free / 1e6:.0f} MB are available."
    cure = "" if ok else "Give the host more memory, or run fewer instances."
    return DoctorFinding(f"{run.name} memory", ok=ok, says=says, cure=cure)


def _resident(pid: int) -> float:
    """Resident memory of a process in bytes."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0.0
    return int(pages) * 4096.0


def _available() -> float:
    """Memory available to new processes in bytes, as the kernel estimates it."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024.0
    return 0.0
