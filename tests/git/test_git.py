"""The source, on real git: what is found, what is refused, and what stays the same."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from surefoot.adapters.git import GitScm, diff_identity
from surefoot.domain.change import Person
from surefoot.domain.errors import BadRevision, NotFound, OutsideFailed, Refused

Git = Callable[..., str]
Commit = Callable[..., str]

SHOP = "shop"
TALL = "".join(f"def f{n}():\n    return {n}\n\n\n" for n in range(30))
LFS_POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"
BARE_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.org",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.org",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def git(source: Path) -> Git:
    """Git in the source, as a user would run it."""

    def run(*argv: str, input: bytes = b"") -> str:  # noqa: A002 -- as subprocess names it
        done = subprocess.run(
            ["git", "-c", "init.defaultBranch=main", *argv],
            cwd=source,
            env=BARE_ENVIRONMENT,
            check=True,
            capture_output=True,
            input=input,
        )
        return done.stdout.decode(errors="replace").strip()

    return run


@pytest.fixture
def commit(source: Path, git: Git) -> Commit:
    """Write files and commit them; returns the hash."""

    def run(message: str = "A commit", **files: str) -> str:
        for name, content in files.items():
            path = source / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())
            git("add", "--", str(path))
        git("commit", "--quiet", "--allow-empty", "--message", message)
        return git("rev-parse", "HEAD")

    return run


@pytest.fixture
def repository(source: Path, git: Git) -> Path:
    git("init", "--quiet")
    return source


@pytest.fixture
async def scm(tmp_path: Path, repository: Path) -> GitScm:
    scm = GitScm(tmp_path / "home")
    await scm.init(SHOP, str(repository))
    return scm


def _named(folder: Path, name: str) -> list[Path]:
    """The folder's files of this name, and for `*` the folder itself too."""
    return [path for path in (folder, *folder.rglob("*")) if path.match(name)]


# --- what is found -----------------------------------------------------------------------------


async def test_branches_tags_hashes_and_head_are_found(
    scm: GitScm, git: Git, commit: Commit
) -> None:
    """A revision may be a branch, a tag, a hash or its beginning, or stand before one of them."""
    first = commit(a_py="1\n")
    git("tag", "--annotate", "v1", "--message", "One")
    second = commit(a_py="2\n")
    await scm.fetch(SHOP)
    found = {name: await scm.resolve(SHOP, name) for name in ("main", "HEAD", second, second[:9])}
    assert set(found.values()) == {second}
    assert await scm.resolve(SHOP, "v1") == first
    assert await scm.resolve(SHOP, "HEAD~1") == first
    assert await scm.resolve(SHOP, "main^") == first


async def test_work_on_a_detached_head_is_found(scm: GitScm, git: Git, commit: Commit) -> None:
    """A commit that no branch has can be shipped from where somebody works."""
    commit(a_py="1\n")
    git("checkout", "--quiet", "--detach")
    alone = commit(a_py="2\n")
    await scm.fetch(SHOP)
    assert await scm.resolve(SHOP, alone) == alone


async def test_what_was_pushed_over_is_still_there(scm: GitScm, git: Git, commit: Commit) -> None:
    """A revision that may be live outlives its branch."""
    commit(a_py="1\n")
    git("checkout", "--quiet", "-b", "feature")
    live = commit(a_py="2\n")
    await scm.fetch(SHOP)
    git("checkout", "--quiet", "main")
    git("branch", "-D", "feature")
    git("branch", "feature/two")
    await scm.fetch(SHOP)
    assert await scm.resolve(SHOP, live) == live
    with pytest.raises(BadRevision):
        await scm.resolve(SHOP, "feature")


async def test_the_mirror_can_be_pointed_elsewhere(
    scm: GitScm, tmp_path: Path, source: Path, commit: Commit
) -> None:
    """After a second init, the mirror follows the other source."""
    commit(a_py="1\n")
    moved = shutil.move(source, tmp_path / "moved")
    with pytest.raises(OutsideFailed, match=r"source of shop could not be fetched: .*tried again"):
        await scm.fetch(SHOP)
    await scm.init(SHOP, str(moved))
    await scm.fetch(SHOP)
    assert await scm.resolve(SHOP, "main")


async def test_an_empty_source_is_no_fault(scm: GitScm) -> None:
    """A repository without commits can be fetched, and has no revision."""
    await scm.fetch(SHOP)
    with pytest.raises(BadRevision, match="no revision 'HEAD'"):
        await scm.resolve(SHOP, "HEAD")


async def test_descent_is_told(scm: GitScm, git: Git, commit: Commit) -> None:
    """A revision descends from its ancestors and itself, and from nothing else."""
    first = commit(a_py="1\n")
    second = commit(a_py="2\n")
    git("checkout", "--quiet", "-b", "side", first)
    side = commit(a_py="3\n")
    await scm.fetch(SHOP)
    assert await scm.descends(SHOP, second, first)
    assert await scm.descends(SHOP, second, second)
    assert not await scm.descends(SHOP, side, second)
    assert not await scm.descends(SHOP, first, second)


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hostile",
    [
        "--upload-pack=touch pwned",
        "--output=pwned",
        "-x",
        "a;touch pwned",
        "$(touch pwned)",
        "`touch pwned`",
        "a\nb",
        "a\0b",
        "a b",
        "",
        ".",
        "..",
        "main..main",
        "main:a.py",
        "main@{1}",
        ":/A commit",
        "^main",
        "main^{/A}",
        "main.lock",
        "a//b",
        "../../etc/passwd",
        "x" * 251,
        "main" + "~1" * 200,
        "\ud800",
    ],
)
async def test_what_is_no_revision_never_reaches_git(
    scm: GitScm, commit: Commit, tmp_path: Path, hostile: str
) -> None:
    """Options, shell text and revision syntax are refused with a cure, and start nothing."""
    commit(a_py="1\n")
    await scm.fetch(SHOP)
    for use in (
        scm.resolve(SHOP, hostile),
        scm.study(SHOP, None, hostile),
        scm.study(SHOP, hostile, "main"),
        scm.descends(SHOP, "main", hostile),
        scm.read(SHOP, hostile, "a.py"),
        scm.checkout(SHOP, hostile, tmp_path / "tree"),
    ):
        with pytest.raises(BadRevision, match=r"is not a revision\. Give a commit's hash"):
            await use
    assert not _named(tmp_path, "pwned")


async def test_an_unknown_revision_is_refused_with_the_cure(scm: GitScm, commit: Commit) -> None:
    """Who names a commit that was not pushed learns what to do."""
    commit(a_py="1\n")
    await scm.fetch(SHOP)
    for unknown in ("f" * 40, "feature/new", "refs/heads/none"):
        with pytest.raises(BadRevision, match="Push it, or commit it, then try again"):
            await scm.resolve(SHOP, unknown)


@pytest.mark.parametrize(
    "hostile",
    [
        "ext::sh -c touch% pwned",
        "--upload-pack=touch pwned",
        "-oProxyCommand=touch pwned",
        "fd::17",
        "/no/such/folder",
        "https://example.org/a\nb",
        "",
    ],
)
async def test_what_is_no_source_is_refused(tmp_path: Path, hostile: str) -> None:
    """A transport that runs commands, an option, a path that is not there: none makes a mirror."""
    scm = GitScm(tmp_path / "home")
    with pytest.raises(Refused, match="Give a path"):
        await scm.init(SHOP, hostile)
    with pytest.raises(NotFound, match="surefoot init"):
        await scm.fetch(SHOP)


def _point_by_hand(home: Path, source: str) -> None:
    config = home / "services" / SHOP / "mirror.git" / "config"
    argv = ["git", "config", "--file", str(config), "remote.source.url", source]
    subprocess.run(argv, check=True)


async def test_a_mirror_cannot_be_talked_into_another_transport(
    scm: GitScm, tmp_path: Path
) -> None:
    """Even when its settings name a transport that runs commands, git does not use it."""
    _point_by_hand(tmp_path / "home", f"ext::sh -c touch% {tmp_path}/pwned")
    with pytest.raises(OutsideFailed, match="transport 'ext' not allowed"):
        await scm.fetch(SHOP)
    assert not (tmp_path / "pwned").exists()


async def test_a_name_that_leads_out_of_the_home_is_refused(scm: GitScm) -> None:
    """A service's name is a folder, so it cannot be a path."""
    with pytest.raises(Refused, match="not the name of a service"):
        await scm.fetch("../shop")


@pytest.mark.parametrize(
    "source", ["git@example.org:team/shop.git", "ssh://example.org/shop", "https://example.org/s"]
)
async def test_addresses_are_taken_as_they_are(tmp_path: Path, source: str) -> None:
    """The usual addresses of a repository make a mirror; nothing is asked of them yet."""
    scm = GitScm(tmp_path / "home")
    await scm.init(SHOP, source)
    config = (tmp_path / "home/services/shop/mirror.git/config").read_text()
    assert f"url = {source}" in config


async def test_a_password_in_an_address_is_not_repeated(tmp_path: Path) -> None:
    """What git complains of is passed on without the key that was in the address."""
    scm = GitScm(tmp_path / "home")
    await scm.init(SHOP, "http://ana:secret@127.0.0.1:1/shop.git")
    with pytest.raises(OutsideFailed, match="could not be fetched") as failed:
        await scm.fetch(SHOP)
    assert "secret" not in str(failed.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
async def test_the_source_of_another_user_can_be_fetched(
    scm: GitScm, source: Path, commit: Commit
) -> None:
    """The operator named this repository, so its owner may be somebody else."""
    head = commit(a_py="1\n")
    for path in _named(source, "*"):
        os.chown(path, 12345, 12345)
    await scm.fetch(SHOP)
    assert await scm.resolve(SHOP, "main") == head


# --- what a change is --------------------------------------------------------------------------


async def test_a_study_names_people_size_and_trailers(scm: GitScm, commit: Commit) -> None:
    """Commits come oldest first, with co-authors, trailers in order, and the size of it all."""
    base = commit(a_py="1\n2\n", gone_py="x\n")
    one = commit(
        "Faster\n\nBody: not a trailer\n\nWatch: checkout_errors\n"
        "Co-authored-by: Bo <bo@example.org>\nco-authored-by: ANA <Ana@example.org>\n"
        "Co-authored-by: nobody",
        a_py="1\n3\n4\n",
    )
    two = commit("Cleaner\n\nExpect: export_p95 falls\n by 10%\n", sub__b_bin="\0\1")
    await scm.fetch(SHOP)
    study = await scm.study(SHOP, base, two)
    assert study.revision == two
    assert [(c.id, c.subject) for c in study.commits] == [(one, "Faster"), (two, "Cleaner")]
    assert study.commits[0].authors == (
        Person("Ana", "ana@example.org"),
        Person("Bo", "bo@example.org"),
    )
    assert study.trailers == (
        ("Watch", "checkout_errors"),
        ("Co-authored-by", "Bo <bo@example.org>"),
        ("co-authored-by", "ANA <Ana@example.org>"),
        ("Co-authored-by", "nobody"),
        ("Expect", "export_p95 falls by 10%"),
    )
    assert study.diff.files == ("a.py", "sub/b.bin")
    assert (study.diff.added, study.diff.removed) == (2, 1)


async def test_what_belongs_to_another_manifest_is_left_out(scm: GitScm, commit: Commit) -> None:
    """Two services and a shared library in one repository: each is told what concerns it."""
    base = commit("Two", one__surefoot_toml="1\n", two__surefoot_toml="1\n", lib_py="1\n")
    first = commit("Only one", one__a_py="1\n")
    shared = commit("Shared", lib_py="2\n")
    both = commit("Both", one__a_py="2\n", two__b_py="2\n")
    await scm.fetch(SHOP)
    one = await scm.study(SHOP, base, both, "one")
    two = await scm.study(SHOP, base, both, "two")
    assert [each.id for each in one.commits] == [first, shared, both]
    assert one.diff.files == ("lib.py", "one/a.py")
    assert [each.id for each in two.commits] == [shared, both]
    assert two.diff.files == ("lib.py", "two/b.py")
    nothing = await scm.study(SHOP, base, first, "two")
    assert (nothing.commits, nothing.diff.files) == ((), ())
    whole = await scm.study(SHOP, base, both)
    assert whole.diff.files == ("lib.py",)


async def test_a_diff_shows_what_a_study_measures(scm: GitScm, git: Git, commit: Commit) -> None:
    """Lines as they are, binary files by name alone, and nothing of another manifest's folder."""
    base = commit(app_py="one\n\ttwo\n", shop__logo="\0\1")
    (Path(git("rev-parse", "--show-toplevel")) / "shop/surefoot.toml").write_text("")
    git("add", ".")
    commit("the other service")
    tip = commit(app_py="one\n\tthree\n", logo="\0\2", shop__app_py="5\n")
    await scm.fetch(SHOP)
    patch = await scm.diff(SHOP, base, tip, "")
    study = await scm.study(SHOP, base, tip, "")
    assert "\n-\ttwo\n+\tthree\n" in patch
    assert "Binary files /dev/null and b/logo differ\n" in patch
    assert "shop/" not in patch
    assert set(study.diff.files) == {"app.py", "logo"}
    assert "+5\n" in await scm.diff(SHOP, base, tip, "shop")
    alone = await scm.diff(SHOP, None, base, "")
    assert "+++ b/app.py\n@@ -0,0 +1,2 @@\n+one\n+\ttwo\n" in alone
    assert await scm.diff(SHOP, tip, tip, "") == ""


async def test_without_a_base_it_is_the_tip_alone(scm: GitScm, commit: Commit) -> None:
    """The first release is studied by its last commit, the very first one included."""
    root = commit("Root", a_py="1\n2\n")
    tip = commit("Tip", b_py="1\n")
    await scm.fetch(SHOP)
    first = await scm.study(SHOP, None, root)
    last = await scm.study(SHOP, None, tip)
    assert [c.subject for c in first.commits] == ["Root"]
    assert (first.diff.files, first.diff.added) == (("a.py",), 2)
    assert [c.subject for c in last.commits] == ["Tip"]
    assert last.diff.files == ("b.py",)


def _odd_commit(source: Path, parent: str) -> bytes:
    tree = subprocess.check_output(["git", "rev-parse", "HEAD^{tree}"], cwd=source).strip()
    person = b"Ren\xe9 \x1b[31m <r@x> 1700000000 +0000"
    return b"tree %s\nparent %s\nauthor %s\ncommitter %s\n\nCaf\xe9 \x1b[31mred\n" % (
        *(tree, parent.encode()),
        *(person, person),
    )


async def test_names_and_messages_need_not_be_utf8(
    scm: GitScm, source: Path, git: Git, commit: Commit
) -> None:
    """Odd bytes in names, messages and paths become a mark; control characters too."""
    base = commit(a_py="1\n")
    (source / os.fsdecode(b"caf\xe9\n.txt")).write_text("x\n")
    git("add", "--all")
    commit("To be written anew")
    git(
        "reset",
        "--quiet",
        git("hash-object", "-t", "commit", "-w", "--stdin", input=_odd_commit(source, base)),
    )
    await scm.fetch(SHOP)
    study = await scm.study(SHOP, base, "main")
    (made,) = study.commits
    assert made.authors == (Person("Ren\ufffd \ufffd[31m", "r@x"),)
    assert made.subject == "Caf\ufffd \ufffd[31mred"
    assert study.diff.files == ("caf\ufffd\n.txt",)


# --- the identity of a diff --------------------------------------------------------------------


async def _identity(scm: GitScm, base: str, revision: str) -> str:
    await scm.fetch(SHOP)
    return (await scm.study(SHOP, base, revision)).diff.identity


async def test_a_rebase_keeps_the_identity(scm: GitScm, git: Git, commit: Commit) -> None:
    """The same diff on another base, and as one squashed commit, is the same."""
    base = commit(a_py=TALL, b_py="1\n")
    git("checkout", "--quiet", "-b", "side")
    commit(a_py=TALL.replace("return 7\n", "return 70\n"))
    commit(new_py="new\n")
    before = await _identity(scm, base, "side")
    git("checkout", "--quiet", "main")
    moved = commit(b_py="2\n")
    git("rebase", "--quiet", "main", "side")
    assert await _identity(scm, moved, "side") == before
    git("reset", "--quiet", "--soft", moved)
    commit("Squashed")
    assert await _identity(scm, moved, "side") == before


async def test_picked_and_squashed_commits_are_known_by_what_they_do(
    scm: GitScm, git: Git, commit: Commit
) -> None:
    """A commit keeps its identity elsewhere; squashed, the commit does what the range did."""
    base = commit("base", a_py=TALL, b_py=TALL)
    one = commit("one", a_py=TALL.replace("return 7\n", "return 8\n"))
    two = commit("two", b_py=TALL.replace("return 9\n", "return 10\n"), c_py="new\n")
    git("checkout", "--quiet", "-b", "elsewhere", base)
    moved = commit("moved", d_py="1\n")
    git("cherry-pick", one, two)
    await scm.fetch(SHOP)
    first = await scm.study(SHOP, base, "main")
    picked = await scm.study(SHOP, moved, "elsewhere")
    assert [known.identity for known in picked.commits] == [
        known.identity for known in first.commits
    ]
    assert first.commits[0].identity == (await scm.study(SHOP, base, one)).diff.identity
    git("reset", "--quiet", "--soft", moved)
    git("commit", "--quiet", "-m", "squashed")
    await scm.fetch(SHOP)
    squashed = await scm.study(SHOP, moved, "elsewhere")
    assert squashed.commits[0].identity == first.diff.identity
    assert two not in {known.id for known in squashed.commits}


async def test_a_merge_is_known_by_what_it_brings(scm: GitScm, git: Git, commit: Commit) -> None:
    """A merged branch does what its commits did, against the first parent."""
    base = commit("base", a_py=TALL)
    git("checkout", "--quiet", "-b", "side")
    side = commit("side", a_py=TALL.replace("return 7\n", "return 8\n"))
    git("checkout", "--quiet", "main")
    commit("meanwhile", b_py="1\n")
    git("merge", "--quiet", "--no-ff", "-m", "merged", "side")
    await scm.fetch(SHOP)
    study = await scm.study(SHOP, base, "main")
    identity = {known.subject: known.identity for known in study.commits}
    assert identity["merged"] == identity["side"]
    assert side in {known.id for known in study.commits}


async def test_a_shift_of_lines_keeps_the_identity(scm: GitScm, git: Git, commit: Commit) -> None:
    """Lines that came above it in the same file do not alter a diff."""
    base = commit(a_py=TALL)
    changed = commit(a_py=TALL.replace("return 7\n", "return 70\n"))
    before = await _identity(scm, base, changed)
    git("reset", "--quiet", "--hard", base)
    shifted = "import os\n\n\n" + TALL
    moved = commit(a_py=shifted)
    again = commit(a_py=shifted.replace("return 7\n", "return 70\n"))
    assert await _identity(scm, moved, again) == before


@pytest.mark.parametrize(
    "other",
    [
        TALL.replace("    return 7\n", "  return 70\n"),
        TALL.replace("    return 7\n", "    return 70 \n"),
        TALL.replace("    return 8\n", "    return 70\n"),
        TALL.replace("    return 7\n", "    return 71\n"),
    ],
    ids=["indentation", "trailing space", "another place", "another value"],
)
async def test_another_diff_has_another_identity(
    scm: GitScm, git: Git, commit: Commit, other: str
) -> None:
    """White space counts, as do the lines around and the lines themselves."""
    base = commit(a_py=TALL)
    one = commit(a_py=TALL.replace("    return 7\n", "    return 70\n"))
    git("checkout", "--quiet", "-b", "side", base)
    two = commit(a_py=other)
    assert await _identity(scm, base, one) != await _identity(scm, base, two)


async def test_binary_files_and_modes_count(
    scm: GitScm, source: Path, git: Git, commit: Commit
) -> None:
    """Two contents of a binary file are two diffs, and so is a new mode."""
    base = commit(a_bin="\0\1", b_bin="\0\1")
    first = commit(a_bin="\0\2")
    second = commit(a_bin="\0\3")
    (source / "b.bin").chmod(0o755)
    git("commit", "--quiet", "--all", "--message", "May run")
    found = [await _identity(scm, base, one) for one in (first, second, "main")]
    assert len(set(found)) == 3


async def test_no_setting_of_the_source_alters_the_identity(
    scm: GitScm, source: Path, git: Git, commit: Commit
) -> None:
    """Attributes and drivers that a repository declares do not hide what a diff does."""
    base = commit(a_py="1\n")
    one = commit(a_py="2\n")
    before = await _identity(scm, base, one)
    commit(_gitattributes="*.py -diff\n", info="")
    (source / ".git/info/attributes").write_text("*.py -diff\n")
    git("config", "diff.external", "false")
    assert await _identity(scm, base, one) == before


def test_only_what_moves_with_the_base_is_dropped() -> None:
    """Lines of a file that look like git's own headers stay part of the diff."""
    text = b"diff --git a/f b/f\nindex 1a..2b 100644\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@ def f\n"
    assert diff_identity(text + b"+x\n") == diff_identity(
        text.replace(b"1a..2b", b"3c..4d").replace(b"-1,2 +1,2 @@ def f", b"-9 +9,8 @@") + b"+x\n"
    )
    for pair in (
        (b"+index 1a..2b 100644\n", b"+index 3c..4d 100644\n"),
        (b"-@@ -1 +1 @@\n", b"-@@ -2 +2 @@\n"),
    ):
        assert diff_identity(text + pair[0]) != diff_identity(text + pair[1])
    binary = b"diff --git a/f b/f\nindex %s..2b 100644\nGIT binary patch\ndelta 3\nKc$\n"
    assert diff_identity(binary % b"1a") != diff_identity(binary % b"3c")


# --- files and trees ---------------------------------------------------------------------------


async def test_a_file_is_read_as_text(scm: GitScm, source: Path, git: Git, commit: Commit) -> None:
    """A file of a revision comes as text; what is not there, or no file, is None."""
    (source / "link").symlink_to("/etc/passwd")
    git("add", "link")
    old = commit(sub__surefoot_toml='[service]\nname = "ä"\n')
    commit(sub__surefoot_toml="later\n")
    await scm.fetch(SHOP)
    assert await scm.read(SHOP, old, "sub/surefoot.toml") == '[service]\nname = "ä"\n'
    assert await scm.read(SHOP, old, "./sub/surefoot.toml") == '[service]\nname = "ä"\n'
    for nothing in ("surefoot.toml", "sub", "*", ":(glob)**", "-x", "link"):
        assert await scm.read(SHOP, old, nothing) is None


async def test_a_file_that_is_no_text_is_refused(
    scm: GitScm, source: Path, git: Git, commit: Commit
) -> None:
    """The line that is not UTF-8 is named; huge files and paths that lead out are refused."""
    (source / "odd.toml").write_bytes(b"ok\n\xff\n")
    (source / "big.toml").write_bytes(b"x" * (1024 * 1024 + 1))
    git("add", ".")
    head = commit()
    await scm.fetch(SHOP)
    with pytest.raises(BadRevision, match=r"not UTF-8 text: line 2\. Save it as UTF-8"):
        await scm.read(SHOP, head, "odd.toml")
    with pytest.raises(BadRevision, match="larger than 1 MB"):
        await scm.read(SHOP, head, "big.toml")
    for outside in ("/etc/passwd", "../x", "a\0b"):
        with pytest.raises(BadRevision, match="not a path inside the repository"):
            await scm.read(SHOP, head, outside)


def _tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


async def test_a_checkout_is_the_tree_and_nothing_else(
    scm: GitScm, source: Path, git: Git, commit: Commit, tmp_path: Path
) -> None:
    """Files, modes and links are there as committed; no .git, and nothing of an earlier tree."""
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("run.sh")
    git("add", "run.sh", "link")
    old = commit(sub__a_py="1\n")
    new = commit(b_py="2\n")
    await scm.fetch(SHOP)
    into = tmp_path / "releases" / "1" / "tree"
    await scm.checkout(SHOP, new, into)
    (into / "built.o").write_text("from the build")
    await scm.checkout(SHOP, old, into)
    assert _tree(into) == {"run.sh": "#!/bin/sh\n", "link": "#!/bin/sh\n", "sub/a.py": "1\n"}
    assert os.access(into / "run.sh", os.X_OK)
    assert (into / "link").is_symlink()
    assert [path.name for path in into.parent.iterdir()] == ["tree"]


async def test_what_cannot_be_checked_out_whole_is_refused(
    scm: GitScm, git: Git, commit: Commit, tmp_path: Path
) -> None:
    """Submodules and LFS files are said to be unsupported, with their path; nothing is left."""
    head = commit(a_py="1\n")
    git("update-index", "--add", "--cacheinfo", f"160000,{head},vendor/lib")
    with_submodule = commit()
    git("rm", "--quiet", "--cached", "vendor/lib")
    with_lfs = commit(_gitattributes="*.bin filter=lfs\n", sub__a_bin=LFS_POINTER)
    await scm.fetch(SHOP)
    into = tmp_path / "releases" / "tree"
    with pytest.raises(Refused, match=r"a submodule at vendor/lib, .* Commit its files"):
        await scm.checkout(SHOP, with_submodule, into)
    with pytest.raises(Refused, match=r"keeps sub/a.bin in Git LFS, .* Commit the file"):
        await scm.checkout(SHOP, with_lfs, into)
    assert not into.parent.exists() or not any(into.parent.iterdir())


async def test_a_hook_or_filter_of_anybody_is_not_run(
    scm: GitScm, source: Path, commit: Commit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the home's configuration nor the source's can start a program in a checkout."""
    home = tmp_path / "user"
    home.mkdir()
    config = f'[filter "x"]\n smudge = touch {tmp_path}/pwned\n required = true\n'
    (home / ".gitconfig").write_text(config)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "filter.x.smudge")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"touch {tmp_path}/pwned")
    head = commit(_gitattributes="* filter=x\n", a_py="1\n")
    with (source / ".git/config").open("a") as file:
        file.write(config)
    await scm.fetch(SHOP)
    await scm.checkout(SHOP, head, tmp_path / "tree")
    assert _tree(tmp_path / "tree")["a.py"] == "1\n"
    assert not (tmp_path / "pwned").exists()


async def test_a_git_that_is_not_there_is_said(
    scm: GitScm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without git on its path, Surefoot names what to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(OutsideFailed, match=r"git could not be started.*Install git"):
        await scm.fetch(SHOP)


async def test_a_folder_of_checkouts_is_discarded_whole(scm: GitScm, tmp_path: Path) -> None:
    """Folders that nobody may write to go as well, and what an earlier try left behind."""
    release, left = tmp_path / "releases" / "7", tmp_path / "releases" / ".7.gone"
    for folder in (release, left):
        (folder / "tree" / "sealed").mkdir(parents=True)
        (folder / "tree" / "sealed" / "file").write_text("x")
        (folder / "tree" / "sealed").chmod(0o500)
    await scm.discard(release)
    await scm.discard(release)
    assert list((tmp_path / "releases").iterdir()) == []
