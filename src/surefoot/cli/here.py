"""The service of the current folder, and the commit that is meant: read from git and the manifest.

Revisions go to git behind `--end-of-options` and to the daemon as full hashes only.
"""

import os
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from surefoot.domain.errors import BadManifest, BadRevision, NotFound, OutsideFailed, Refused

__all__ = [
    "MANIFEST",
    "Here",
    "Tip",
    "commits_between",
    "here",
    "remember_source",
    "tip",
    "top_folder",
]

MANIFEST = "surefoot.toml"
_SOURCE_KEY = "surefoot.source"
_GIT_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Here:
    """The service of a folder. `folder` is that of the manifest, relative to `top`."""

    service: str
    source: str
    folder: str
    manifest: str
    top: Path


@dataclass(frozen=True, slots=True)
class Tip:
    """A commit: its full hash and its subject."""

    revision: str
    subject: str


def here(start: Path | None = None) -> Here:
    """The service of `start` (default: the current folder): the nearest manifest upward counts.

    Raises:
        Refused: there is no git repository, or no manifest in it.
        BadManifest: the manifest is not TOML, or names no service.
    """
    start = (start or Path.cwd()).resolve()
    top = top_folder(start)
    folders = [start, *start.parents]
    for folder in folders[: folders.index(top) + 1]:
        if (folder / MANIFEST).is_file():
            return _read(folder / MANIFEST, top)
    raise Refused(
        f"There is no {MANIFEST} in {start}, nor above it up to {top}.",
        cure="`surefoot init` writes one.",
    )


def top_folder(start: Path) -> Path:
    """The top of the git repository that `start` is in. Raises `Refused` outside of one."""
    found = _git(start, "rev-parse", "--show-toplevel")
    if found.returncode != 0:
        raise Refused(
            f"{start} is not in a git repository.",
            cure="Go to your service's folder; `git init` makes it a repository.",
        )
    return Path(found.stdout.strip()).resolve()


def tip(place: Here, revision: str) -> Tip:
    """The commit that a revision names. Raises `BadRevision`."""
    named = _git(
        place.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
    )
    full = named.stdout.strip()
    if named.returncode != 0 or not full:
        raise BadRevision(
            f"{place.top} has no commit '{revision}'.",
            cure="`git log --oneline` lists what it has; commit your work first.",
        )
    subject = _git(place.top, "log", "-1", "--format=%s", "--end-of-options", full)
    return Tip(full, subject.stdout.strip())


def commits_between(place: Here, base: str, revision: str) -> tuple[Tip, ...]:
    """The commits of the first-parent line behind `base` up to `revision`, oldest first.

    Raises:
        BadRevision: this repository has not both of them.
    """
    listed = _git(
        place.top,
        *("log", "--reverse", "--first-parent", "--format=%H %s"),
        *("--end-of-options", f"{base}..{revision}"),
    )
    if listed.returncode != 0:
        raise BadRevision(
            f"{place.top} does not know what came after {base[:10]}, which is shipped.",
            cure="Fetch what your team has shipped: `git fetch`.",
        )
    lines = (line.partition(" ") for line in listed.stdout.splitlines())
    return tuple(Tip(full, subject) for full, _, subject in lines)


def remember_source(top: Path, source: str) -> None:
    """Keep where the daemon shall fetch this repository from, in its own git configuration."""
    _git(top, "config", "--local", _SOURCE_KEY, source)


def _read(path: Path, top: Path) -> Here:
    name = None
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        name = tomllib.loads(text)["service"]["name"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadManifest(f"{path}: {error}.", cure="Correct that line.") from error
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.", cure="See its mode.") from error
    except (KeyError, TypeError):
        pass  # TOML, but no service in it: said below
    if not isinstance(name, str) or not name:
        raise BadManifest(f"{path}: it names no service.", cure='Add name = "..." below [service].')
    kept = _git(top, "config", "--local", "--get", _SOURCE_KEY).stdout.strip()
    folder = path.parent.relative_to(top).as_posix()
    return Here(name, kept or str(top), "" if folder == "." else folder, text, top)


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *arguments],  # noqa: S607 -- the git of whoever types the command
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutsideFailed(f"git did not run: {error}.", cure="Install git.") from error
