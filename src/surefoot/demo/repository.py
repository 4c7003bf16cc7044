"""The shop's git repository, as two people fill it: real commits, real tests, real diffs."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from surefoot.demo.errors import DemoError

__all__ = ["ANA", "BO", "DISCOUNT_CODES", "GIFT_WRAP", "JAM", "NUMBERS", "Member", "Repository"]
__all__ += ["Step", "TestRun", "with_our_python"]

HERE = Path(__file__).parent
SHOP = HERE / "shop"
CHANGES = HERE / "changes"
TEST_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Member:
    """One of the two people."""

    name: str
    email: str

    def __str__(self) -> str:
        """As git writes it."""
        return f"{self.name} <{self.email}>"


ANA = Member("Ana", "ana@example.org")
BO = Member("Bo", "bo@example.org")


@dataclass(frozen=True, slots=True)
class Step:
    """A commit to be made: its patch in `changes/`, its author and its message."""

    patch: str
    author: Member
    subject: str
    trailer: str = ""

    @property
    def message(self) -> str:
        """The whole message."""
        return f"{self.subject}\n\n{self.trailer}\n" if self.trailer else f"{self.subject}\n"


GIFT_WRAP = Step("gift-wrap", BO, "Offer gift wrap at checkout", "Expect: gift_wrap_used above 0")
DISCOUNT_CODES = Step("discount-codes", ANA, "Discount codes from a file")
JAM = Step("jam", BO, "Sell jam")
NUMBERS = Step("codes-are-numbers", ANA, "Discount codes are numbers")
NEW_TEST = "shop/test_codes.py"  # comes with NUMBERS


@dataclass(frozen=True, slots=True)
class TestRun:
    """How a test ended, and the one line that says why."""

    passed: bool
    said: str

    def __str__(self) -> str:
        """In words."""
        return f"{'passes' if self.passed else 'fails'} ({self.said})"


def with_our_python(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which `python` is the one that runs the demo."""
    own = str(Path(sys.executable).parent)
    return {**environment, "PATH": os.pathsep.join([own, environment.get("PATH", os.defpath)])}


class Repository:
    """The shop's repository in a folder of its own; the user's git settings do not reach it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, port: int) -> str:
        """The shop as it runs today, listening on this port; returns its revision."""
        (self.folder / "shop").mkdir(parents=True)
        for file in sorted(SHOP.glob("*.py")):
            (self.folder / "shop" / file.name).write_bytes(file.read_bytes())
        manifest = (SHOP / "surefoot.toml").read_text(encoding="utf-8")
        self.manifest.write_text(manifest.replace(":8080", f":{port}"), encoding="utf-8")
        self._git("init", "--quiet")
        self._git("symbolic-ref", "HEAD", "refs/heads/main")
        return self._commit(Step("", BO, "A small shop"))

    @property
    def manifest(self) -> Path:
        """The file that tells Surefoot about the shop."""
        return self.folder / "surefoot.toml"

    def add(self, step: Step, on: str | None = None) -> str:
        """Make this commit on the tip, or on revision `on`; returns its revision."""
        if on is not None:
            self._git("checkout", "--quiet", "-b", step.patch, on, "--")
        self._git("apply", "--index", "--", str(CHANGES / f"{step.patch}.patch"))
        return self._commit(step)

    def try_test(self, revision: str, test_from: str) -> TestRun:
        """Run the new test of revision `test_from` against another revision's shop."""
        tree = self.folder.parent / f"try-{revision[:7]}"
        self._git("worktree", "add", "--quiet", "--force", "--detach", str(tree), revision)
        self._git("checkout", "--quiet", test_from, "--", NEW_TEST, folder=tree)
        ended = subprocess.run(
            ["python", "-m", "unittest", "-q", "shop.test_codes"],  # noqa: S607 -- ours, by PATH
            cwd=tree,
            env=with_our_python(os.environ),
            capture_output=True,
            text=True,
            timeout=TEST_LIMIT_S,
            check=False,
        )
        self._git("worktree", "remove", "--force", str(tree))
        return TestRun(ended.returncode == 0, _why(ended.stderr))

    def _commit(self, step: Step) -> str:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", step.message, author=step.author)
        return self._git("rev-parse", "HEAD")

    def _git(self, *words: str, author: Member = BO, folder: Path | None = None) -> str:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_COMMITTER_NAME": author.name,
            "GIT_COMMITTER_EMAIL": author.email,
        }
        ended = subprocess.run(
            ["git", *words],  # noqa: S607 -- the user's git, by PATH
            cwd=folder or self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TEST_LIMIT_S,
            check=False,
        )
        if ended.returncode != 0:
            raise DemoError(f"git {words[0]} in {self.folder}: {ended.stderr.strip()}")
        return ended.stdout.strip()


def _why(said: str) -> str:
    """The line that matters of what unittest said: the error, else how it ended."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.split(":")[0].endswith("Error")]
    return (errors or lines or [""])[-1]
