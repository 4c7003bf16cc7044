"""Untested lines on real parts: a repository of git, a check that is a process, its report."""

import os
import subprocess
import sys
from pathlib import Path

from surefoot.adapters.clock import SystemClock
from surefoot.adapters.commands import CommandChecks, CommandNotifier
from surefoot.adapters.git import GitScm
from surefoot.config.manifest import parse_manifest
from surefoot.domain.change import Change, Diff, Intent, Person, Stamps
from surefoot.domain.coverage import Coverage, UntestedFile
from surefoot.domain.facts import RunChecks
from surefoot.engine.acts import Actor
from surefoot.engine.run import Outside, ServiceRun
from surefoot.engine.watch import Watch
from surefoot.ports import ServiceRecord
from surefoot.testing import (
    MemoryKeeper,
    MemoryPrograms,
    MemoryStore,
    MemoryTarget,
    MemoryTraffic,
    Production,
    SimulatedTelemetry,
)

ANA = Person("Ana", "ana@example.org")
# What any coverage tool does, in a few lines: which of a program's lines can run, and which ran.
TRACE = """\
import dis, pathlib, sys
file = pathlib.Path(sys.argv[1])
code = compile(file.read_text(), str(file.resolve()), "exec")
ran = set()
def see(frame, event, _):
    if frame.f_code.co_filename == code.co_filename and event == "line":
        ran.add(frame.f_lineno)
    return see
def lines(code):
    yield from (line for _, line in dis.findlinestarts(code) if line)
    for const in code.co_consts:
        if hasattr(const, "co_code"):
            yield from list(lines(const))[1:]
sys.settrace(see)
exec(code, {})
sys.settrace(None)
with open(sys.argv[3], "w", encoding="utf-8") as report:
    name = file if sys.argv[2] == "relative" else file.resolve()
    print(f"TN:\\nSF:{name}", file=report)
    for line in sorted(set(lines(code))):
        print(f"DA:{line},{int(line in ran)}", file=report)
    print("end_of_record", file=report)
"""
OLD = "def total(prices):\n    return sum(prices)\n\n\ntotal([1])\n"
NEW = """\
def total(prices):
    if not prices:
        return 0
    return sum(prices)


def unused():
    first = 1
    return first


total([1])
"""
MANIFEST = f"""
[service]
name = "shop"
listen = "127.0.0.1:8080"

[release]
run = ["./shop"]

[checks.one]
run = ["{sys.executable}", "trace.py", "my läden.py", "relative", "lcov.info"]
coverage = "lcov.info"

[checks.other]
run = ["{sys.executable}", "trace.py", "../common/rules.py", "absolute", "other.info"]
coverage = "./other.info"
"""


def git(folder: Path, *argv: str) -> str:
    told = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "init.defaultBranch=a")
    clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(
        ["git", *told, *argv], cwd=folder, env=clean, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def committed(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "A commit")
    return git(folder, "rev-parse", "HEAD")


def outside(home: Path) -> Outside:
    """What checks need is real."""
    clock = SystemClock()
    production = Production(clock, lambda: 0.5)
    return Outside(
        clock=clock,
        store=MemoryStore(clock),
        scm=GitScm(home),
        checks=CommandChecks(),
        programs=MemoryPrograms(clock),
        target=MemoryTarget(production, clock),
        traffic=MemoryTraffic(MemoryKeeper(production, clock), clock, 1),
        telemetry=SimulatedTelemetry(production, clock),
        notifier=CommandNotifier(),
    )


async def test_the_lines_that_a_commit_added_are_set_beside_what_its_checks_ran(tmp_path: Path):
    """A service in a folder of its repository, an odd name, and both ways of naming files."""
    source, home = tmp_path / "source", tmp_path / "home"
    source.mkdir()
    git(source, "init", "--quiet")
    described = {"shop/surefoot.toml": MANIFEST, "shop/trace.py": TRACE}
    base = committed(source, {**described, "shop/my läden.py": OLD, "common/rules.py": OLD})
    tip = committed(source, {"shop/my läden.py": NEW, "common/rules.py": NEW})
    ports = outside(home)
    await ports.scm.init("shop", str(source))
    await ports.scm.fetch("shop")
    manifest = parse_manifest(MANIFEST, place="surefoot.toml", folder="shop")
    record = ServiceRecord("shop", str(source), "shop", MANIFEST)
    run = ServiceRun(record, manifest, Watch(home / "evidence"))
    change = Change(
        "shop", 1, tip, base, 0, (), Diff("", (), 0, 0), Intent("a sum"), ANA, Stamps(0.0, 0.0)
    )
    done = await Actor(ports, home).work(run, change, RunChecks())
    assert done.part.done, done.part.said
    unrun = ((3, 3), (8, 9))
    assert done.coverage == Coverage(
        can_run=10,
        untested=6,
        files=(UntestedFile("common/rules.py", unrun), UntestedFile("shop/my läden.py", unrun)),
    )
