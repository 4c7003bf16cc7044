"""The first `surefoot.toml` of a service, from what stands in its folder.

What was found is said with the file that told it, and what was not found is said too: a guess that
looks like knowledge would fail at the first `ship`, in front of somebody who did not write it.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

__all__ = ["scaffold"]

Argv = tuple[str, ...]

LARGEST_FILE = 200_000
MOST_SOURCES = 200
SOURCES = {".py", ".js", ".mjs", ".cjs", ".ts", ".go", ".rs", ".rb", ".java", ".kt", ".php", ".ex"}
NOT_OURS = {"node_modules", "vendor", "target", "dist", "build", "venv", "tests", "test", "spec"}
HEALTH = ("/healthz", "/health", "/livez", "/readyz", "/ping", "/up")
DATA_FOLDERS = ("migrations", "alembic", "db/migrate", "prisma/migrations")
PROGRAMS = ("app.py", "main.py", "server.py", "wsgi.py", "run.py")
NEEDS_A_SHELL = re.compile(r"[$|&;<>`*?~]|^\w+=")
MORE_THAN_ONE_COMMAND = re.compile(r"[|&;<>]|^\w+=")
MAKE_TARGET = re.compile(r"^([A-Za-z][\w.-]*)\s*:(?!=)", re.MULTILINE)
PORT = re.compile(r"\bPORT\b")
FILE = re.compile(r"[\w.-][\w./-]{0,200}")
LONGEST_NAME = 41
MOST_FOLDERS = 500
REMARKS_FROM = 34


@dataclass(frozen=True, slots=True)
class _Found:
    """How a service seems to be started, built and checked, and which file told it."""

    by: str = ""
    run: Argv = ()
    build: Argv = ()
    checks: tuple[tuple[str, Argv], ...] = ()
    unknown: tuple[str, ...] = ()  # what could not be found out


def scaffold(folder: Path) -> str:
    """A commented `surefoot.toml` for the service in `folder`; it parses as it is.

    Nothing is run and nothing is written. At most 200 source files of up to 200 kB are looked at.
    """
    here = _Folder(folder)
    found = next((one for one in (look(here) for look in LOOKS) if one is not None), _Found())
    found = _with_make(here, found)
    parts = (_service(here), _release(here, found), _checks(found), _rest(here))
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


class _Folder:
    """What stands in a folder, read without trust: anything odd in it is as if it were absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = folder.resolve().name
        self.program_text = "\n".join(islice(self._sources(), MOST_SOURCES))

    def has(self, *names: str) -> str | None:
        """The first of these that is here."""
        return next((name for name in names if (self._folder / name).exists()), None)

    def text(self, name: str) -> str:
        return _text(self._folder / name)

    def json(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads(self.text(name) or "{}")
        except (ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def toml(self, name: str) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text(name))
        except (tomllib.TOMLDecodeError, RecursionError):
            return {}

    def holding(self, name: str) -> str | None:
        """The folder directly below that holds a file of this name."""
        return next((path.parent.name for path in sorted(self._folder.glob(f"*/{name}"))), None)

    def targets(self) -> set[str]:
        makefile = self.has("GNUmakefile", "makefile", "Makefile")
        return set(MAKE_TARGET.findall(self.text(makefile))) if makefile else set()

    def _sources(self) -> Iterator[str]:
        waiting = [self._folder]
        for _ in range(MOST_FOLDERS):
            for path in sorted(_inside(waiting.pop(0))) if waiting else ():
                if path.is_symlink() or path.name.startswith(".") or path.name in NOT_OURS:
                    continue
                if path.is_dir():
                    waiting.append(path)
                elif path.suffix in SOURCES:
                    yield _text(path)


# --- what each kind of project tells -----------------------------------------------------------


def _procfile(here: _Folder) -> _Found | None:
    line = re.search(r"^web:\s*(\S.*)$", here.text("Procfile"), re.MULTILINE)
    if line is None:
        return None
    return replace(_language(here), by="the `web` line of Procfile", run=_command(line[1].strip()))


def _node(here: _Folder) -> _Found | None:
    package = here.json("package.json")
    scripts = package.get("scripts")
    scripts = scripts if isinstance(scripts, dict) else {}
    main = package.get("main")
    if "start" in scripts:
        by, run = "the `start` script of package.json", ("npm", "start")
    elif isinstance(main, str) and FILE.fullmatch(main) and here.has(main):
        by, run = "`main` of package.json", ("node", main)
    elif program := here.has("server.js", "index.js", "app.js"):
        by, run = program, ("node", program)
    else:
        return None
    tested = "test" in scripts and "no test specified" not in str(scripts["test"])
    compiled = "build" in scripts
    return _Found(
        by,
        run,
        build=("npm", "ci") if here.has("package-lock.json") else (),
        checks=(("test", ("npm", "test")),) if tested else (),
        unknown=("how `npm ci` and the `build` script become one command, such as `make build`.",)
        if compiled
        else (),
    )


def _django(here: _Folder) -> _Found | None:
    if not here.has("manage.py"):
        return None
    project = here.holding("wsgi.py")
    if project and "gunicorn" in _python_needs(here):
        run: Argv = ("gunicorn", f"{project}.wsgi")  # it takes PORT from the environment
    else:
        run = _command("python3 manage.py runserver --noreload 127.0.0.1:$PORT")
    checks = _python_checks(here) or (("test", ("python3", "manage.py", "test")),)
    return replace(_python_parts(here), by="manage.py", run=run, checks=checks)


def _python(here: _Folder) -> _Found | None:
    program = here.has(*PROGRAMS)
    if program is None:
        return None
    needs, module = _python_needs(here), program.removesuffix(".py")
    if "uvicorn" in needs or "fastapi" in needs:
        run = _command(f"uvicorn {module}:app --port $PORT")
    elif "gunicorn" in needs:
        run = ("gunicorn", f"{module}:app")  # it takes PORT from the environment
    else:
        run = ("python3", program)
    return replace(_python_parts(here), by=program, run=run)


def _go(here: _Folder) -> _Found | None:
    if not here.has("go.mod"):
        return None
    checks = (("test", ("go", "test", "./...")),)
    build = ("go", "build", "-o", "service", ".")
    if here.has("main.go"):
        return _Found("go.mod and main.go", ("./service",), build, checks)
    return _Found(
        "go.mod", checks=checks, unknown=("which package is the service, as main.go is not here.",)
    )


def _rust(here: _Folder) -> _Found | None:
    package = here.toml("Cargo.toml").get("package")
    name = package.get("name") if isinstance(package, dict) else None
    if not isinstance(name, str):
        return None
    build = ("cargo", "build", "--release")
    return _Found(
        "Cargo.toml", (f"./target/release/{name}",), build, (("test", ("cargo", "test")),)
    )


def _ruby(here: _Folder) -> _Found | None:
    if not here.has("config.ru"):
        return None
    gems = here.text("Gemfile")
    server = "puma -p $PORT" if "puma" in gems else "rackup -o 127.0.0.1 -p $PORT"
    checks: tuple[tuple[str, Argv], ...] = ()
    if here.has("spec"):
        checks = (("test", ("bundle", "exec", "rspec")),)
    elif here.has("test") and here.has("Rakefile"):
        checks = (("test", ("bundle", "exec", "rake", "test")),)
    build = ("bundle", "install") if gems else ()
    return _Found("config.ru", _command(f"bundle exec {server}"), build, checks)


LOOKS: tuple[Callable[[_Folder], _Found | None], ...] = (
    _procfile,
    _node,
    _django,
    _python,
    _go,
    _rust,
    _ruby,
)


def _language(here: _Folder) -> _Found:
    """What the project itself tells beside the line that starts it."""
    return next((one for one in (look(here) for look in LOOKS[1:]) if one is not None), _Found())


def _with_make(here: _Folder, found: _Found) -> _Found:
    """A Makefile's own targets are what the team types, so they go before our guesses."""
    targets = here.targets()
    if "test" in targets:
        found = replace(found, checks=(("test", ("make", "test")),))
    if "build" in targets:
        found = replace(found, build=("make", "build"))
    starts = next((one for one in ("run", "serve", "start") if one in targets), None)
    if starts and not found.run:
        found = replace(found, by=f"the target `{starts}` of the Makefile", run=("make", starts))
    return found


def _python_needs(here: _Folder) -> str:
    return (here.text("requirements.txt") + here.text("pyproject.toml")).lower()


def _python_parts(here: _Folder) -> _Found:
    needs = here.has("requirements.txt", "pyproject.toml")
    said = f"what installs {needs}. Let `build` do it, or do it once on the server."
    return _Found(checks=_python_checks(here), unknown=(said,) if needs else ())


def _python_checks(here: _Folder) -> tuple[tuple[str, Argv], ...]:
    folder = here.has("tests", "test")
    if "pytest" in _python_needs(here) or here.has("pytest.ini", "conftest.py"):
        return (("test", ("python3", "-m", "pytest", "-q")),)
    if folder:
        return (("test", ("python3", "-m", "unittest", "discover", "-s", folder)),)
    return ()


def _command(line: str) -> Argv:
    """A line as argv; one that needs a shell, as most with $PORT do, gets one of its own."""
    if not NEEDS_A_SHELL.search(line):
        with suppress(ValueError):
            return tuple(shlex.split(line))
    # With exec the service itself gets the signals, and not the shell before it.
    return ("sh", "-c", line if MORE_THAN_ONE_COMMAND.search(line) else f"exec {line}")


# --- how it is written down --------------------------------------------------------------------


def _service(here: _Folder) -> list[str]:
    slug = re.sub(r"[^a-z0-9]+", "-", here.name.lower()).strip("-")
    return [
        "# How Surefoot ships this service. Every key is in docs/manifest.md.",
        "",
        "[service]",
        f"name = {_quoted(slug[:LONGEST_NAME].strip('-') or 'service')}",
        _remark('listen = "127.0.0.1:8080"', "where users come in"),
    ]


def _release(here: _Folder, found: _Found) -> list[str]:
    build = _remark('# build = ["make", "build"]', "if a release has to be built")
    if found.build:
        build = _remark(f"build = {_list(found.build)}", "in a clean checkout of its own")
    return [
        "[release]",
        *_run(here, found),
        *(f"# Not found out: {said}" for said in found.unknown),
        build,
        *_paths(here),
        _remark('# warm = ["/"]', "asked of a new release before any user meets it"),
        _remark("# instances = 1", "processes side by side"),
        _remark('# env = { LOG_LEVEL = "info" }', "for the service; secrets go into env_file"),
        _remark('# env_file = "/etc/service.env"', "on the server, mode 0600; never in git"),
    ]


def _run(here: _Folder, found: _Found) -> list[str]:
    if not found.run:
        return [
            "# Not found out: how this service is started. Put the command here; it has to listen",
            "# on 127.0.0.1 at the port in the environment variable PORT.",
            'run = ["./run"]',
        ]
    lines = [f"# From {found.by}. It has to listen on 127.0.0.1 at the port in PORT."]
    if not PORT.search(" ".join((here.program_text, *found.run))) and found.run[0] != "gunicorn":
        lines.append("# Not found out: whether it does. Nothing here mentions PORT.")
    if found.run[0] == "sh":
        lines.append("# The shell is there for what only a shell can fill in.")
    return [*lines, f"run = {_list(found.run)}"]


def _paths(here: _Folder) -> list[str]:
    said = here.program_text
    health = next((one for one in HEALTH if re.search(rf"[\"'`]{one}[\"'`/]", said)), None)
    if health:
        lines = [_remark(f"health = {_quoted(health)}", "answers 2xx or 3xx once it can serve")]
    else:
        lines = [
            "# Not found out: a path that says that it can serve users. Until there is one:",
            'health = "/"',
        ]
    if "/metrics" in said:
        return [*lines, _remark('metrics = "/metrics"', "its own figures, as Prometheus text")]
    return [*lines, _remark('# metrics = "/metrics"', "its own figures, if it has some")]


def _checks(found: _Found) -> list[str]:
    if not found.checks:
        return [
            "# Not found out: how this service is tested. A check has to pass before any user:",
            "# [checks.test]",
            '# run = ["make", "test"]',
        ]
    lines: list[str] = []
    for name, run in found.checks:
        lines += [
            f"[checks.{name}]",
            _remark(f"run = {_list(run)}", "has to exit with 0 before any user meets a change"),
            _remark('time_limit = "30m"', "then it is ended"),
        ]
    return lines


def _rest(here: _Folder) -> list[str]:
    data = [name for name in DATA_FOLDERS if here.has(name)]
    data += [f"{name}/migrations" for name in [here.holding("migrations")] if name]
    lines = [
        "# Errors and latency are watched without a word here. A metric of your own guards what",
        "# they cannot see:",
        "# [metrics.checkout_errors]",
        '# kind = "ratio"',
        "# bad = 'checkout_total{outcome=\"error\"}'",
        "# total = 'checkout_total'",
        "",
        "[team]",
        '# members = ["Name <name@example.org>"]',
        _remark('review = "before"', 'somebody else says yes first; or "after", or "off"'),
        "",
        "# A command that hears of each change that is verified, restored, held or stuck, in a",
        "# sentence on standard input:",
        "# [notify]",
        '# run = ["tell-team"]',
    ]
    if not data:
        return lines
    return [
        *lines,
        "",
        "[risk]",
        "# Traffic can go back to the old release; what these alter cannot.",
        f"data = {_list(tuple(f'{name}/**' for name in data))}",
    ]


def _remark(line: str, remark: str) -> str:
    return f"{line:<{REMARKS_FROM}}  # {remark}"


def _list(words: Argv) -> str:
    return f"[{', '.join(map(_quoted, words))}]"


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are a part of TOML's, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(LARGEST_FILE).decode("utf-8", errors="replace").replace("\0", "")
    except OSError:
        return ""


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
