"""A bare mirror for each service: fetched, studied, compared, read and checked out."""

import asyncio
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from surefoot.adapters.git.commits import (
    LOG_FIELDS,
    commits_of,
    diff_identity,
    diff_of,
    identities,
)
from surefoot.adapters.git.run import QUICK_S, UNPRINTABLE, Answer, git, succeeded
from surefoot.adapters.git.trees import (
    discard,
    empty,
    no_pointers,
    no_submodules,
    put_in_place,
    remove,
)
from surefoot.domain.errors import BadRevision, NotFound, OutsideFailed, Refused
from surefoot.domain.text import without_password
from surefoot.ports import Study

__all__ = ["GitScm"]

FETCH_S = 600.0
LARGEST_TEXT = 1024 * 1024
SOURCE_HEAD = "refs/surefoot/head"
EMPTY_TREES = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
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

# What is text in a diff must not hang on the attributes of whatever the mirror's HEAD is on.
PLAIN = ("-c", f"attr.tree={EMPTY_TREES[40]}")
AS_IT_IS = ("--no-ext-diff", "--no-textconv", "--no-renames", "--no-color")
DIFF = (*PLAIN, "diff", *AS_IT_IS)
LOG = ("log", "--topo-order", "--reverse", "--no-show-signature")
# The diff of each commit, a merge's against its first parent. No line of a diff begins with NUL.
FIRST = "--diff-merges=first-parent"
DIFFS = (*PLAIN, *LOG, *AS_IT_IS, "--patch", FIRST, "--format=tformat:%x00%H")


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
            made = await git("init", "--quiet", "--bare", "--template=", "--", str(mirror))
            succeeded(made, f"The mirror of {service} could not be made")
        # Git takes this permission from a file only: a local fetch starts a second git, which
        # gets our environment without the settings of our command line.
        allowed = "".join(f"\tdirectory = {_quoted(one)}\n" for one in (place, f"{place}/.git"))
        self._settings(service).write_text(f"[safe]\n{allowed}", encoding="utf-8")
        pointed = await self._run(service, "config", "--replace-all", "remote.source.url", place)
        succeeded(
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
        succeeded(answer, f"The source of {service} could not be fetched")

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
        succeeded(answer, f"The ancestors of {tip[:12]} could not be read")
        return True

    async def study(self, service: str, base: str | None, revision: str, folder: str = "") -> Study:
        """Commits (oldest first), people, size and identity of `base..revision`.

        Without a base it is the tip commit alone, against its first parent; with one, what belongs
        to a manifest of another folder is left out: `folder` is the service's own.

        Raises:
            BadRevision: one of them is malformed or not there.
            Refused: the diff is larger than 128 MB.
        """
        start, tip, others = await self._ends(service, base, revision, folder)
        which = ("--max-count=1", tip) if base is None else (f"{start}..{tip}",)
        fields = "--format=tformat:" + "%x00".join(LOG_FIELDS)
        whole = ("--binary", "--full-index")
        said, counts, patch, patches = await asyncio.gather(
            self._run(service, *LOG, "-z", "--no-color", fields, *which, "--", *others),
            self._run(service, *DIFF, "--numstat", "-z", start, tip, "--", *others),
            self._run(service, *DIFF, *whole, start, tip, "--", *others),
            self._run(service, *DIFFS, *whole, *which, "--", *others),
        )
        for answer in (said, counts, patch, patches):
            succeeded(answer, f"The change {start[:12]}..{tip[:12]} could not be read")
        commits, trailers = commits_of(said.out, identities(patches.out))
        return Study(tip, commits, diff_of(counts.out, diff_identity(patch.out)), trailers)

    async def diff(self, service: str, base: str | None, revision: str, folder: str = "") -> str:
        """The unified diff of what `study` measures; of binary files only that they differ.

        Bytes that are not UTF-8 are replaced; nothing else is made fit for a terminal or a page.

        Raises:
            BadRevision: one of them is malformed or not there.
            Refused: the diff is larger than 128 MB.
        """
        start, tip, others = await self._ends(service, base, revision, folder)
        patch = await self._run(service, *DIFF, start, tip, "--", *others)
        succeeded(patch, f"The change {start[:12]}..{tip[:12]} could not be read")
        return patch.out.decode(errors="replace")

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
        succeeded(found, f"The files of {tip[:12]} could not be listed")
        entry = re.fullmatch(rb"100[0-7]{3} blob ([0-9a-f]+)\t[^\0]*\0", found.out)
        if entry is None:
            return None
        content = await self._run(service, "cat-file", "blob", entry[1].decode())
        succeeded(content, f"{path} at {tip[:12]} could not be read")
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
        succeeded(listed, f"The files of {tip[:12]} could not be listed")
        no_submodules(listed.out, tip)
        fresh = into.with_name(f".{into.name}.partial")
        index = into.with_name(f".{into.name}.index")
        await asyncio.to_thread(empty, fresh, index)
        written = await self._run(
            service,
            *(f"--work-tree={fresh.absolute()}", "read-tree", "--reset", "-u", tip),
            environment={"GIT_INDEX_FILE": str(index.absolute())},
        )
        try:
            succeeded(written, f"The files of {tip[:12]} could not be written to {into}")
            await asyncio.to_thread(no_pointers, fresh, listed.out, tip)
            await asyncio.to_thread(put_in_place, fresh, into)
        finally:
            await asyncio.to_thread(remove, fresh, index)

    async def discard(self, folder: Path) -> None:
        """A folder with checkouts is gone: renamed at once, so that no half of it is ever used.

        Raises:
            OutsideFailed: something in it cannot be removed; asking again goes on.
        """
        try:
            await asyncio.to_thread(discard, folder)
        except OSError as error:
            raise OutsideFailed(
                f"{folder} cannot be removed: {error.strerror}.",
                cure="Remove what another user wrote there.",
            ) from error

    async def _ends(
        self, service: str, base: str | None, revision: str, folder: str
    ) -> tuple[str, str, tuple[str, ...]]:
        """From where to where a change goes, and the pathspecs of what is not part of it."""
        tip = await self.resolve(service, revision)
        if base is None:
            return await self._parent(service, tip), tip, ()
        start = await self.resolve(service, base)
        return start, tip, await self._others(service, tip, folder)

    async def _others(self, service: str, tip: str, folder: str) -> tuple[str, ...]:
        """Pathspecs that leave out the folders of other manifests; the nearest above counts."""
        listed = await self._run(service, "ls-tree", "-r", "-z", "--name-only", "--full-tree", tip)
        succeeded(listed, f"The files of {tip[:12]} could not be listed")
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
    ) -> Answer:
        mirror = self._folder(service) / "mirror.git"
        if not mirror.is_dir():
            raise NotFound(
                f"The source of {service} is not known here.",
                cure="`surefoot init --from PATH_OR_ADDRESS` makes it known.",
            )
        settings = {"GIT_CONFIG_GLOBAL": str(self._settings(service)), **(environment or {})}
        return await git(
            f"--git-dir={mirror}", *argv, limit_s=limit_s, environment=settings, folder=mirror
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
