"""The shop's repository: a real history with real tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from surefoot.demo.errors import DemoError
from surefoot.demo.repository import ANA, BO, DISCOUNT_CODES, GIFT_WRAP, JAM, NUMBERS, Repository


def git(folder: Path, *words: str) -> str:
    ended = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=30
    )
    return ended.stdout.strip()


def passes_its_check(folder: Path) -> bool:
    check = [sys.executable, "-m", "unittest", "-q"]
    return (
        subprocess.run(check, cwd=folder, capture_output=True, timeout=60, check=False).returncode
        == 0
    )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop")
    made.begin(port=8099)
    return made


def test_the_shop_of_today_is_a_commit_with_its_manifest(repository: Repository) -> None:
    """The first revision holds the shop, tested, and the port where its customers come in."""
    assert 'listen = "127.0.0.1:8099"' in git(repository.folder, "show", "HEAD:surefoot.toml")
    assert passes_its_check(repository.folder)


def test_every_change_passes_the_check_that_the_manifest_declares(repository: Repository) -> None:
    """The harmful one too: that is the story."""
    for step in (GIFT_WRAP, DISCOUNT_CODES, JAM):
        repository.add(step)
        assert passes_its_check(repository.folder), step


def test_the_new_test_fails_on_the_harmful_change_and_passes_on_the_fix(
    repository: Repository,
) -> None:
    """The fix brings a test that would have kept the fault from its users."""
    repository.add(GIFT_WRAP)
    harmful = repository.add(DISCOUNT_CODES)
    repository.add(JAM)
    fix = repository.add(NUMBERS, on=harmful)
    before = repository.try_test(harmful, test_from=fix)
    assert not before.passed
    assert before.said.startswith("TypeError")
    assert repository.try_test(fix, test_from=fix).passed
    assert passes_its_check(repository.folder)


def test_the_fix_stands_on_the_harmful_change_and_not_on_more_work(repository: Repository) -> None:
    """So it can go first, and one person's review is enough for both of its commits."""
    repository.add(GIFT_WRAP)
    harmful = repository.add(DISCOUNT_CODES)
    repository.add(JAM)
    fix = repository.add(NUMBERS, on=harmful)
    assert git(repository.folder, "rev-parse", f"{fix}^") == harmful
    authors = git(repository.folder, "log", "--format=%an <%ae>", f"{harmful}^..{fix}")
    assert set(authors.splitlines()) == {str(ANA)}
    assert git(repository.folder, "log", "-1", "--format=%an <%ae>", f"{harmful}^") == str(BO)


def test_the_expectation_stands_in_the_commit(repository: Repository) -> None:
    """The first change says by a trailer what it is meant to do."""
    revision = repository.add(GIFT_WRAP)
    said = git(repository.folder, "log", "-1", "--format=%(trailers)", revision)
    assert said == "Expect: gift_wrap_used above 0"


def test_git_trouble_is_told_with_its_reason(repository: Repository) -> None:
    """A patch that does not fit names the command and what git said."""
    with pytest.raises(DemoError, match=r"git apply in .*shop/prices\.py"):
        repository.add(NUMBERS)
