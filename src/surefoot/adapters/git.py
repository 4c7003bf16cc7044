"""Source from git: a bare mirror for each service, and the only place that runs git.

Three rules for this file. Git gets an argv list, a clean environment and no configuration but
ours, so that what a repository or a home directory says cannot start a program. A revision is
validated before git sees it. And the mirror never throws anything away: a commit that was pushed
over may still be the one that runs.
"""

import asyncio
import hashlib
import os
import re
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from surefoot.domain.change import Commit, Diff, Person
from surefoot.domain.errors import BadRevision, NotFound, OutsideFailed, Refused
from surefoot.domain.text import without_password
from surefoot.ports import Study

__all__ = ["GitScm", "diff_identity"]

QUICK_S = 60.0
FETCH_S = 600.0
USUAL_UMASK = 0o022  # of the files that it checks out; our home is closed above them
LARGEST_ANSWER = 128 * 1024 * 1024
LARGEST_TEXT = 1024 * 1024
LARGEST_COMPLAINT = 8 * 1024
LARGEST_POINTER = 1024  # an LFS pointer is shorter, by its specification

SOURCE_HEAD = "refs/surefoot/head"
EMPTY_TREES = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
GITLINK = b"160000"
ATTRIBUTES = ".gitattributes"
REGULAR = (b"100644", b"100755")
LFS_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:")

SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.recurseSubmodules=false",
    "i18n.logOutputEncoding=UTF-8",
)
PASSED_ON = (
    "PATH",
    "HOME",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
PUSH_IT = "Push it, or commit it, then try again."

SERVICE = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
# Narrower than git's own rule (git-check-ref-format): no character that any shell or any option
# parser would give a meaning to, and of git's revision syntax only `~2` and `^1` behind the name.
REVISION = re.compile(r"(?P<name>\w[\w./@+#=,-]*)(?P<back>(?:[~^][0-9]{0,4}){0,8})")
NOT_IN_A_NAME = ("..", "@{", "//", "/.", ".lock/")
NOT_AT_ITS_END = (".", "/", ".lock")
MANIFEST = "surefoot.toml"
LONGEST_REVISION = 250

ADDRESS = re.compile(r"(?:https?|ssh|git|file)://\S+|(?:[\w.-]+@)?[\w.-]+:(?!:)[^\s:]\S*")
PERSON = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<email>[^<>\s]+)>\s*")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

LOG_FIELDS = ("%H", "%ct", "%an", "%ae", "%s", "%(trailers:only,unfold)")
# What is text in a diff must not hang on the attributes of whatever the mirror's HEAD is on.
PLAIN = ("-c", f"attr.tree={EMPTY_TREES[40]}")
AS_IT_IS = ("--no-ext-diff", "--no-textconv", "--no-renames", "--no-color")
DIFF = (*PLAIN, "diff", *AS_IT_IS)
LOG = ("log", "--topo-order", "--reverse", "--no-show-signature")
# The diff of each commit, a merge's against its first parent. No line of a diff begins with NUL.
FIRST = "--diff-merges=first-parent"
DIFFS = (*PLAIN, *LOG, *AS_IT_IS, "--patch", FIRST, "--format=tformat:%x00%H")
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


@dataclass(frozen=True, slots=True)
class _Answer:
    """How git ended: its code, what it answered, and the end of what it complained of."""

    code: int
    out: bytes
    complaint: str


class GitScm:
    """The Scm port on git, with mirrors at `home/services/SERVICE/mirror.git`.

    Every method raises `OutsideFailed` when git fails or takes longer than its limit, and
    `NotFound` when the service has no mirror.
    """

    def __init__(self, home: Path) -> None:
        """Keep the mirrors below `home`."""
        self._home = home
        self._fetching: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def init(self, service: str, source: str) -> None:
        """Make the mirror of `source` (a path or an address), or point it there.

        Raises:
            Refused: the source is neither a repository on this host nor an address.
        """
        place = _source(source)
        mirror = self._folder(service) / "mirror.git"
        if not (mirror / "HEAD").is_file():
            mirror.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = await _git("init", "--quiet", "--bare", "--template=", "--", str(mirror))
            _succeeded(made, f"The mirror of {service} could not be made")
        # Git takes this permission from a file only: a local fetch starts a second git, which
        # gets our environment without the settings of our command line.
        allowed = "".join(f"\tdirectory = {_quoted(one)}\n" for one in (place, f"{place}/.git"))
        self._settings(service).write_text(f"[safe]\n{allowed}", encoding="utf-8")
        pointed = await self._run(service, "config", "--replace-all", "remote.source.url", place)
        _succeeded(
            pointed, f"The mirror of {service} could not be pointed to {without_password(place)}"
        )

    async def fetch(self, service: str) -> None:
        """Bring the mirror up to date: every ref of the source, and what its HEAD is on."""
        command = ("fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-write-fetch-head")
        refs = ("+refs/*:refs/*", "^refs/surefoot/*")
        head = f"+HEAD:{SOURCE_HEAD}"
        async with self._fetching[service]:
            source = (*command, "--", "source")
            answer = await self._run(service, *source, head, *refs, limit_s=FETCH_S)
            if answer.code and "couldn't find remote ref HEAD" in answer.complaint:
                answer = await self._run(service, *source, *refs, limit_s=FETCH_S)
        _succeeded(answer, f"The source of {service} could not be fetched")

    async def resolve(self, service: str, revision: str) -> str:
        """The full hash of a revision: a hash, a branch or a tag of the source, or its HEAD.

        Raises:
            BadRevision: it is malformed, or the mirror does not have it.
        """
        name = _revision(revision)
        answer = await self._run(
            service, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        if answer.code:
            raise BadRevision(
                f"The source of {service} has no revision {revision!r}.", cure=PUSH_IT
            )
        return answer.out.decode().strip()

    async def descends(self, service: str, revision: str, base: str) -> bool:
        """Whether `base` is an ancestor of `revision`, or the same.

        Raises:
            BadRevision: one of them is malformed or not there.
        """
        tip = await self.resolve(service, revision)
        root = await self.resolve(service, base)
        answer = await self._run(service, "merge-base", "--is-ancestor", root, tip)
        if answer.code == 1:
            return False
        _succeeded(answer, f"The ancestors of {tip[:12]} could not be read")
        return True

    async def study(self, service: str, base: str | None, revision: str, folder: str = "") -> Study:
        """Commits (oldest first), people, size and identity of `base..revision`.

        Without a base it is the tip commit alone, against its first parent; with one, what belongs
        to a manifest of another folder is left out: `folder` is the service's own.

        Raises:
            BadRevision: one of them is malformed or not there.
            Refused: the diff is larger than 128 MB.
        """
        tip = await self.resolve(service, revision)
        others: tuple[str, ...] = ()
        if base is None:
            which: tuple[str, ...] = ("--max-count=1", tip)
            start = await self._parent(service, tip)
        else:
            start = await self.resolve(service, base)
            which, others = (f"{start}..{tip}",), await self._others(service, tip, folder)
        fields = "--format=tformat:" + "%x00".join(LOG_FIELDS)
        whole = ("--binary", "--full-index")
        said, counts, patch, patches = await asyncio.gather(
            self._run(service, *LOG, "-z", "--no-color", fields, *which, "--", *others),
            self._run(service, *DIFF, "--numstat", "-z", start, tip, "--", *others),
            self._run(service, *DIFF, *whole, start, tip, "--", *others),
            self._run(service, *DIFFS, *whole, *which, "--", *others),
        )
        for answer in (said, counts, patch, patches):
            _succeeded(answer, f"The change {start[:12]}..{tip[:12]} could not be read")
        commits, trailers = _commits(said.out, _identities(patches.out))
        return Study(tip, commits, _diff(counts.out, diff_identity(patch.out)), trailers)

    async def read(self, service: str, revision: str, path: str) -> str | None:
        """A text file at a revision, or None when there is no such file.

        Raises:
            BadRevision: the revision is not there, or the file is not UTF-8 text up to 1 MB.
        """
        tip = await self.resolve(service, revision)
        name = PurePosixPath(path)
        if name.is_absolute() or ".." in name.parts or "\0" in path:
            raise BadRevision(
                f"{path!r} is not a path inside the repository.",
                cure="Name it from the repository's root.",
            )
        found = await self._run(
            service, "--literal-pathspecs", "ls-tree", "-z", "--full-tree", tip, "--", str(name)
        )
        _succeeded(found, f"The files of {tip[:12]} could not be listed")
        entry = re.fullmatch(rb"100[0-7]{3} blob ([0-9a-f]+)\t[^\0]*\0", found.out)
        if entry is None:
            return None
        content = await self._run(service, "cat-file", "blob", entry[1].decode())
        _succeeded(content, f"{path} at {tip[:12]} could not be read")
        return _as_text(content.out, f"{path} at {tip[:12]}")

    async def checkout(self, service: str, revision: str, into: Path) -> None:
        """A clean tree of a revision in `into`, in place of whatever stood there.

        `into` is there whole or not at all: the tree is written beside it and then renamed.

        Raises:
            BadRevision: the revision is not there.
            Refused: the revision has submodules or Git LFS files.
        """
        tip = await self.resolve(service, revision)
        listed = await self._run(service, "ls-tree", "-r", "-l", "-z", "--full-tree", tip)
        _succeeded(listed, f"The files of {tip[:12]} could not be listed")
        _no_submodules(listed.out, tip)
        fresh = into.with_name(f".{into.name}.partial")
        index = into.with_name(f".{into.name}.index")
        await asyncio.to_thread(_empty, fresh, index)
        written = await self._run(
            service,
            *(f"--work-tree={fresh.absolute()}", "read-tree", "--reset", "-u", tip),
            environment={"GIT_INDEX_FILE": str(index.absolute())},
        )
        try:
            _succeeded(written, f"The files of {tip[:12]} could not be written to {into}")
            await asyncio.to_thread(_no_pointers, fresh, listed.out, tip)
            await asyncio.to_thread(_put_in_place, fresh, into)
        finally:
            await asyncio.to_thread(_remove, fresh, index)

    async def discard(self, folder: Path) -> None:
        """A folder with checkouts is gone: renamed at once, so that no half of it is ever used.

        Raises:
            OutsideFailed: something in it cannot be removed; asking again goes on.
        """
        try:
            await asyncio.to_thread(_discard, folder)
        except OSError as error:
            raise OutsideFailed(
                f"{folder} cannot be removed: {error.strerror}.",
                cure="Remove what another user wrote there.",
            ) from error

    async def _others(self, service: str, tip: str, folder: str) -> tuple[str, ...]:
        """Pathspecs that leave out the folders of other manifests; the nearest above counts."""
        listed = await self._run(service, "ls-tree", "-r", "-z", "--name-only", "--full-tree", tip)
        _succeeded(listed, f"The files of {tip[:12]} could not be listed")
        names = (PurePosixPath(os.fsdecode(one)) for one in listed.out.split(b"\0"))
        own = PurePosixPath(folder)
        found = {name.parent for name in names if name.name == MANIFEST}
        return tuple(
            f":(top,exclude,literal){each}"
            for each in sorted(found)
            if each not in {own, *own.parents}
        )

    async def _parent(self, service: str, tip: str) -> str:
        answer = await self._run(
            service, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{tip}^1"
        )
        return EMPTY_TREES[len(tip)] if answer.code else answer.out.decode().strip()

    def _folder(self, service: str) -> Path:
        if not SERVICE.fullmatch(service):
            raise Refused(
                f"{service!r} is not the name of a service.",
                cure="Use lower-case letters, digits and dashes, at most 41.",
            )
        return self._home.absolute() / "services" / service

    def _settings(self, service: str) -> Path:
        return self._folder(service) / "gitconfig"

    async def _run(
        self,
        service: str,
        *argv: str,
        limit_s: float = QUICK_S,
        environment: Mapping[str, str] | None = None,
    ) -> _Answer:
        mirror = self._folder(service) / "mirror.git"
        if not mirror.is_dir():
            raise NotFound(
                f"The source of {service} is not known here.",
                cure="`surefoot init --from PATH_OR_ADDRESS` makes it known.",
            )
        settings = {"GIT_CONFIG_GLOBAL": str(self._settings(service)), **(environment or {})}
        return await _git(
            f"--git-dir={mirror}", *argv, limit_s=limit_s, environment=settings, folder=mirror
        )


async def _git(
    *argv: str,
    limit_s: float = QUICK_S,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> _Answer:
    """Run git to its end; what it answers and how long it takes are bounded."""
    settings = [word for one in SETTINGS for word in ("-c", one)]
    # Files, not pipes: asyncio would wait for every helper of git's that still holds a pipe.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as complaint:
        try:
            process = await asyncio.create_subprocess_exec(
                *("git", "--no-pager", *settings, *argv),
                stdin=DEVNULL,
                stdout=out,
                stderr=complaint,
                cwd=folder,
                env={**_environment(), **(environment or {})},
                start_new_session=True,
                umask=USUAL_UMASK,
            )
        except OSError as error:
            raise OutsideFailed(
                f"git could not be started: {error.strerror}.",
                cure="Install git 2.31 or newer where Surefoot's PATH finds it.",
            ) from error
        code = await _ended(process, limit_s)
        return _Answer(code, _all_of(out), _complaint(complaint))


async def _ended(process: Process, limit_s: float) -> int:
    """The exit code. Neither git nor a helper that it started outlives its call."""
    try:
        async with asyncio.timeout(limit_s):
            return await process.wait()
    except TimeoutError:
        raise OutsideFailed(
            f"git took longer than {limit_s:.0f} s and was ended.",
            cure="See that the source answers; it is tried again.",
        ) from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | {
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def _all_of(out: BinaryIO) -> bytes:
    if os.fstat(out.fileno()).st_size > LARGEST_ANSWER:
        raise Refused(
            f"What git has to say about this change is larger than {LARGEST_ANSWER >> 20} MB.",
            cure="Ship it in smaller parts, and keep large files out of the repository.",
        )
    out.seek(0)
    return out.read()


def _complaint(file: BinaryIO) -> str:
    """What git complained of, in one line: the last 8 kB of it."""
    file.seek(max(0, os.fstat(file.fileno()).st_size - LARGEST_COMPLAINT))
    lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    return without_password("; ".join(_plain(line).rstrip(".") for line in lines if line))


def _succeeded(answer: _Answer, otherwise: str) -> None:
    if answer.code:
        raise OutsideFailed(
            f"{otherwise}: {answer.complaint or f'git ended with {answer.code}'}.",
            cure="See that the source is there and that this user may read it; it is tried again.",
        )


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _source(source: str) -> str:
    if source.startswith("-") or UNPRINTABLE.search(source) or not source:
        raise Refused(
            f"{source!r} is not a path or an address of a git repository.",
            cure="Give a path, or an address such as https://example.org/team/shop.git.",
        )
    folder = Path(source).expanduser()
    if folder.is_dir():
        return str(folder.resolve())
    if ADDRESS.fullmatch(source) and "::" not in source.partition("/")[0]:
        return source
    raise Refused(
        f"There is no git repository at {without_password(source)}.",
        cure="Give a path that exists here, or an http, https, ssh, git or file address.",
    )


def _revision(revision: str) -> str:
    """A revision as git may see it; the source's HEAD under the name that the mirror has for it."""
    parts = REVISION.fullmatch(revision) if len(revision) <= LONGEST_REVISION else None
    if (
        parts is None
        or any(bad in parts["name"] for bad in NOT_IN_A_NAME)
        or parts["name"].endswith(NOT_AT_ITS_END)
    ):
        raise BadRevision(
            f"{revision[:LONGEST_REVISION]!r} is not a revision.",
            cure="Give a commit's hash, a branch or a tag.",
        )
    name = SOURCE_HEAD if parts["name"] == "HEAD" else parts["name"]
    return name + parts["back"]


def _identities(patches: bytes) -> dict[str, str]:
    """The identity of each commit's own diff; one that alters nothing has none."""
    parts = ONE_DIFF.split(patches)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return {commit.decode(): diff_identity(patch) for commit, patch in pairs if patch}


def _commits(
    log: bytes, identities: Mapping[str, str]
) -> tuple[tuple[Commit, ...], tuple[tuple[str, str], ...]]:
    fields = log.decode(errors="replace").split("\0")
    commits: list[Commit] = []
    trailers: list[tuple[str, str]] = []
    width = len(LOG_FIELDS)
    for start in range(0, len(fields) - width + 1, width):
        commit_id, at, name, email, subject, said = fields[start : start + width]
        own = _trailers(said)
        people: dict[str, Person] = {}
        for person in (Person(_plain(name), _plain(email)), *_co_authors(own)):
            people.setdefault(person.email.casefold(), person)
        identity = identities.get(commit_id, "")
        told = Commit(commit_id, _plain(subject), tuple(people.values()), float(at), identity)
        commits.append(told)
        trailers += own
    return tuple(commits), tuple(trailers)


def _trailers(said: str) -> list[tuple[str, str]]:
    parts = (line.partition(":") for line in said.splitlines())
    return [(_plain(key), _plain(value)) for key, colon, value in parts if colon]


def _co_authors(trailers: list[tuple[str, str]]) -> list[Person]:
    named = (value for key, value in trailers if key.casefold() == "co-authored-by")
    return [
        Person(person["name"] or person["email"], person["email"])
        for person in map(PERSON.fullmatch, named)
        if person is not None
    ]


def _plain(text: str) -> str:
    """One line that is safe on a terminal, whatever a commit says."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.strip())


def _diff(numstat: bytes, identity: str) -> Diff:
    rows = [row.split(b"\t", 2) for row in numstat.split(b"\0") if row]
    # Binary files have a dash for a number.
    added, removed = (sum(int(row[side]) for row in rows if row[side] != b"-") for side in (0, 1))
    files = tuple(row[2].decode(errors="replace") for row in rows)
    return Diff(identity, files, added, removed)


def _as_text(content: bytes, what: str) -> str:
    if len(content) > LARGEST_TEXT:
        raise BadRevision(f"{what} is larger than 1 MB.", cure="Make it smaller.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadRevision(
            f"{what} is not UTF-8 text: line {line}.", cure="Save it as UTF-8, then commit it."
        ) from None


def _listed(listing: bytes) -> Iterator[tuple[bytes, int, str]]:
    """Mode, size in bytes (0 for what is no file) and path of each entry of `ls-tree -l -z`."""
    for entry in listing.split(b"\0"):
        about, tab, path = entry.partition(b"\t")
        if tab:
            mode, _, _, size = about.split()
            yield mode, int(size) if size.isdigit() else 0, os.fsdecode(path)


def _no_submodules(listing: bytes, tip: str) -> None:
    for mode, _, path in _listed(listing):
        if mode == GITLINK:
            raise Refused(
                f"{tip[:12]} has a submodule at {_plain(path)}, and Surefoot does not fetch "
                "submodules.",
                cure="Commit its files, or install them in the build.",
            )


def _no_pointers(tree: Path, listing: bytes, tip: str) -> None:
    # Only files that `.gitattributes` gives to LFS are in LFS; most repositories end here.
    files = [(tree / path, size) for mode, size, path in _listed(listing) if mode in REGULAR]
    if not any(b"filter=lfs" in path.read_bytes() for path, _ in files if path.name == ATTRIBUTES):
        return
    for path, size in files:
        if size <= LARGEST_POINTER and _is_pointer(path):
            name = _plain(str(path.relative_to(tree)))
            raise Refused(
                f"{tip[:12]} keeps {name} in Git LFS, and Surefoot does not fetch LFS files.",
                cure="Commit the file itself, or fetch it in the build.",
            )


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return LFS_POINTER.match(file.read(LARGEST_POINTER)) is not None


def _empty(fresh: Path, index: Path) -> None:
    _remove(fresh, index)
    fresh.mkdir(mode=0o700, parents=True)


def _remove(fresh: Path, index: Path) -> None:
    for leftover in (index, index.with_name(f"{index.name}.lock")):
        leftover.unlink(missing_ok=True)
    if fresh.exists():
        shutil.rmtree(fresh)


def _discard(folder: Path) -> None:
    gone = folder.with_name(f".{folder.name}.gone")
    for _ in range(2):  # what an earlier try left, then this one
        if gone.exists():
            for path, _, _ in os.walk(gone):
                Path(path).chmod(0o700)  # some builds make folders that nobody may write to
            shutil.rmtree(gone)
        if folder.exists():
            folder.rename(gone)


def _put_in_place(fresh: Path, into: Path) -> None:
    if into.exists():
        shutil.rmtree(into)
    fresh.rename(into)
