"""A source in memory: commits are values, a repository is what they say of their parents."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

from surefoot.domain.change import Commit, Diff, Person
from surefoot.domain.errors import BadRevision
from surefoot.ports import Clock, Study
from surefoot.testing.faults import Faults

__all__ = ["MemoryScm", "Snapshot"]

SHORTEST_HASH = 7


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One commit: what git says of it, its parent, and every file of its tree."""

    commit: Commit
    parent: str | None
    files: Mapping[str, str]
    trailers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Mirror:
    """What one service's mirror has: `source` is brought in by `fetch`."""

    source: str
    known: dict[str, Snapshot] = field(default_factory=dict)


class MemoryScm:
    """The Scm port over sources in memory. `commit` is what a team's members do."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock that stamps commits."""
        self.faults = Faults(clock)
        self._clock = clock
        self._sources: dict[str, dict[str, Snapshot]] = {}
        self._mirrors: dict[str, _Mirror] = {}

    def commit(
        self,
        source: str,
        subject: str,
        files: Mapping[str, str],
        *,
        by: Person,
        on: str | None = None,
        trailers: tuple[tuple[str, str], ...] = (),
    ) -> str:
        """Commit these files on top of `on` (its other files stay); returns the hash."""
        commits = self._sources.setdefault(source, {})
        whole = {**(commits[on].files if on else {}), **files}
        told = f"{source} {on} {subject} {by} {sorted(whole.items())} {trailers}"
        revision = hashlib.sha1(told.encode(), usedforsecurity=False).hexdigest()
        identity = _diff(commits[on].files if on else {}, whole).identity
        commit = Commit(revision, subject, (by,), self._clock.now(), identity)
        commits[revision] = Snapshot(commit, on, whole, trailers)
        return revision

    async def init(self, service: str, source: str) -> None:
        """Make the mirror of `source`, or point it there."""
        await self.faults.meet("init")
        self._mirrors[service] = _Mirror(source, dict(self._sources.get(source, {})))

    async def fetch(self, service: str) -> None:
        """Bring the mirror up to date."""
        await self.faults.meet("fetch")
        mirror = self._mirrors[service]
        mirror.known.update(self._sources.get(mirror.source, {}))

    async def resolve(self, service: str, revision: str) -> str:
        """The full hash of a revision. Raises `BadRevision` when there is none."""
        await self.faults.meet("resolve")
        known = self._mirrors[service].known
        found = [one for one in known if one.startswith(revision)]
        if len(found) != 1 or len(revision) < SHORTEST_HASH:
            raise BadRevision(f"{service} has no commit {revision}.", cure="Push it first.")
        return found[0]

    async def descends(self, service: str, revision: str, base: str) -> bool:
        """Whether `base` is an ancestor of `revision`, or the same."""
        await self.faults.meet("descends")
        return any(one.commit.id == base for one in self._line(service, revision))

    async def study(self, service: str, base: str | None, revision: str, folder: str = "") -> Study:
        """Commits, people, size and identity of `base..revision`; no other folder is known here."""
        del folder
        await self.faults.meet("study")
        new, old = self._range(service, base, revision)
        return Study(
            revision=revision,
            commits=tuple(one.commit for one in new),
            diff=_diff(old, self._snapshot(service, revision).files),
            trailers=tuple(trailer for one in new for trailer in one.trailers),
        )

    async def diff(self, service: str, base: str | None, revision: str, folder: str = "") -> str:
        """The unified diff of what `study` measures."""
        del folder
        await self.faults.meet("diff")
        _, old = self._range(service, base, revision)
        return _patch(old, self._snapshot(service, revision).files)

    async def read(self, service: str, revision: str, path: str) -> str | None:
        """A text file at a revision, or None."""
        await self.faults.meet("read")
        return self._snapshot(service, revision).files.get(path)

    async def checkout(self, service: str, revision: str, into: Path) -> None:
        """The tree of a revision in `into`."""
        await self.faults.meet("checkout")
        for path, text in self._snapshot(service, revision).files.items():
            file = into / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    async def discard(self, folder: Path) -> None:
        """It is gone."""
        await self.faults.meet("discard")
        shutil.rmtree(folder, ignore_errors=True)

    def _snapshot(self, service: str, revision: str) -> Snapshot:
        try:
            return self._mirrors[service].known[revision]
        except KeyError:
            raise BadRevision(f"{service} has no commit {revision}.") from None

    def _line(self, service: str, revision: str) -> Iterator[Snapshot]:
        """A commit and all before it, newest first."""
        at: str | None = revision
        while at is not None:
            snapshot = self._snapshot(service, at)
            yield snapshot
            at = snapshot.parent

    def _range(
        self, service: str, base: str | None, revision: str
    ) -> tuple[list[Snapshot], Mapping[str, str]]:
        """The commits of a range, oldest first, and the files below them."""
        line = list(self._line(service, revision))
        below = [one.commit.id for one in line]
        new = line[: below.index(base)] if base in below else line[:1]
        new.reverse()
        return new, self._files(service, base if base in below else new[0].parent)

    def _files(self, service: str, revision: str | None) -> Mapping[str, str]:
        return self._snapshot(service, revision).files if revision else {}


def _diff(old: Mapping[str, str], new: Mapping[str, str]) -> Diff:
    """What differs, by whole lines; the identity is that of the differing lines alone."""
    changed = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    before = [line for path in changed for line in old.get(path, "").splitlines()]
    after = [line for path in changed for line in new.get(path, "").splitlines()]
    added = [line for line in after if line not in before]
    removed = [line for line in before if line not in after]
    told = repr((changed, added, removed))
    identity = hashlib.sha256(told.encode()).hexdigest()
    return Diff(identity, tuple(changed), len(added), len(removed))


def _patch(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    changed = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    lines = [
        line
        for path in changed
        for line in unified_diff(
            old.get(path, "").splitlines(),
            new.get(path, "").splitlines(),
            *(f"a/{path}", f"b/{path}"),
            lineterm="",
        )
    ]
    return "".join(f"{line}\n" for line in lines)
