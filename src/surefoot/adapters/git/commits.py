"""What git tells of commits and diffs, read as values."""

import hashlib
import re
from collections.abc import Mapping

from surefoot.adapters.git.run import plain
from surefoot.domain.change import Commit, Diff, Person

__all__ = ["LOG_FIELDS", "commits_of", "diff_identity", "diff_of", "identities"]

PERSON = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<email>[^<>\s]+)>\s*")
LOG_FIELDS = ("%H", "%ct", "%an", "%ae", "%s", "%(trailers:only,unfold)")
ONE_DIFF = re.compile(rb"^\0(?P<commit>[0-9a-f]+)\n\n?", re.MULTILINE)

# A text file's `index` line names blobs, which every move of the base alters; a binary patch
# keeps its own. Behind `@@` stand line numbers, and a heading taken from outside of the diff.
MOVES_WITH_THE_BASE = re.compile(
    rb"^index [0-9a-f]+\.\.[0-9a-f]+(?: [0-7]+)?\n(?!GIT binary patch)|"
    rb"^(?P<at>@@) -\S+ \+\S+ @@.*$",
    re.MULTILINE,
)


def diff_identity(patch: bytes) -> str:
    """What a diff does, as SHA-256 in hex: the same wherever its base stands.

    `patch` is what `git diff --binary --full-index` writes. Index lines of text files and hunk
    positions are dropped, white space is kept: `git patch-id` would take a re-indentation, which
    is a change of meaning in some languages, for nothing.
    """
    return hashlib.sha256(MOVES_WITH_THE_BASE.sub(rb"\g<at>", patch)).hexdigest()


def identities(patches: bytes) -> dict[str, str]:
    """The identity of each commit's own diff; one that alters nothing has none."""
    parts = ONE_DIFF.split(patches)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return {commit.decode(): diff_identity(patch) for commit, patch in pairs if patch}


def commits_of(
    log: bytes, known: Mapping[str, str]
) -> tuple[tuple[Commit, ...], tuple[tuple[str, str], ...]]:
    """The commits of a log of `LOG_FIELDS`, and all their trailers in its order."""
    fields = log.decode(errors="replace").split("\0")
    commits: list[Commit] = []
    trailers: list[tuple[str, str]] = []
    width = len(LOG_FIELDS)
    for start in range(0, len(fields) - width + 1, width):
        commit_id, at, name, email, subject, said = fields[start : start + width]
        own = _trailers(said)
        people: dict[str, Person] = {}
        for person in (Person(plain(name), plain(email)), *_co_authors(own)):
            people.setdefault(person.email.casefold(), person)
        identity = known.get(commit_id, "")
        told = Commit(commit_id, plain(subject), tuple(people.values()), float(at), identity)
        commits.append(told)
        trailers += own
    return tuple(commits), tuple(trailers)


def _trailers(said: str) -> list[tuple[str, str]]:
    parts = (line.partition(":") for line in said.splitlines())
    return [(plain(key), plain(value)) for key, colon, value in parts if colon]


def _co_authors(trailers: list[tuple[str, str]]) -> list[Person]:
    named = (value for key, value in trailers if key.casefold() == "co-authored-by")
    return [
        Person(person["name"] or person["email"], person["email"])
        for person in map(PERSON.fullmatch, named)
        if person is not None
    ]


def diff_of(numstat: bytes, identity: str) -> Diff:
    """The size of a diff, from what `git diff --numstat -z` writes."""
    rows = [row.split(b"\t", 2) for row in numstat.split(b"\0") if row]
    # Binary files have a dash for a number.
    added, removed = (sum(int(row[side]) for row in rows if row[side] != b"-") for side in (0, 1))
    files = tuple(row[2].decode(errors="replace") for row in rows)
    return Diff(identity, files, added, removed)
