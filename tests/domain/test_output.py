"""What releases print: which lines are of one kind, and which are new."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.domain.output import LineKind, masked, novel

LINES = st.lists(st.text(alphabet="ab1f0 .:-+#x\t", max_size=12), max_size=12)
NUMBERS = st.one_of(
    st.integers(0, 10**12).map(str),
    st.decimals(0, 10**6, places=3).map(str),
    st.integers(-(10**6), -1).map(str),
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GET /items/7 200 in 12ms", "GET /items/41 404 in 1.25s"),
        ("took 850 ms", "took 2.5 s"),
        ("up for 1h2m3.5s", "up for 40s"),
        (
            "order 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "order ABCDEFAB-abcd-abcd-abcd-0305e82c3302",
        ),
        ("2026-11-23T17:13:22.123+00:00 ready", "2027-01-02T03:04:05+00:00 ready"),
        ("from 127.0.0.1:5123", "from 10.1.2.3:80"),
        ("from fe80::1c2:abcd:3", "from ::1"),
        ("object at 0x7f3a2b", "object at 0x10"),
        ("commit 9fea70e", "commit 5bc1b524c8"),
        ("worker7 is up", "worker12 is up"),
        ("off by -5", "off by 1.5e-07"),
        ("fee1 was taken", "fee100 was taken"),
    ],
)
def test_what_differs_in_ids_alone_is_one_kind(one: str, other: str) -> None:
    """Numbers, durations, times, addresses, hex and UUIDs tell no lines apart."""
    assert masked(one) == masked(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GET /items/7", "GET /orders/7"),
        ("the facade is up", "the decade is up"),
        ("worker7 is up", "worker7 is down"),
        ("1 item", "1 customer"),
    ],
)
def test_words_tell_lines_apart(one: str, other: str) -> None:
    """What is not an id is what a line says; a word of hexadecimal letters is one."""
    assert masked(one) != masked(other)


@given(st.text(alphabet=st.characters(), max_size=400) | st.text("ab1f0 .:-+#xms", max_size=400))
def test_masking_twice_is_masking_once(line: str) -> None:
    """What was masked holds no digit and nothing else that could be masked again."""
    once = masked(line)
    assert masked(once) == once
    assert not re.search("[0-9]", once)


@given(st.lists(st.text("gworkzé =/(", min_size=1, max_size=6), min_size=1, max_size=6), st.data())
def test_lines_that_differ_in_numbers_alone_are_one_kind(words: list[str], data) -> None:
    """Whatever the words are, and whatever the numbers between them."""
    first, second = (
        "".join(word + data.draw(NUMBERS).lstrip("-" * word[-1:].isalnum()) for word in words)
        for _ in range(2)
    )
    assert masked(first) == masked(second)


@given(LINES, LINES)
def test_nothing_that_the_baseline_prints_is_new(canary: list[str], baseline: list[str]) -> None:
    """Neither the very line nor another of its kind; and counts add up to all that is new."""
    found = novel(canary, baseline)
    usual = {masked(line) for line in baseline}
    assert not usual & {masked(kind.newest) for kind in found}
    new = [line for line in canary if masked(line) and masked(line) not in usual]
    assert sum(kind.count for kind in found) == len(new)
    assert {kind.newest for kind in found} <= set(new)
    counts = [kind.count for kind in found]
    assert counts == sorted(counts, reverse=True)


def test_the_most_frequent_kind_is_first_with_its_newest_line() -> None:
    """Of two that are as frequent, the one that was printed last."""
    canary = ["a: retry 1", "b: odd", "ready", "a: retry 2", "", "c: even"]
    found = novel(canary, ["ready"])
    assert found == (LineKind("a: retry 2", 2), LineKind("c: even", 1), LineKind("b: odd", 1))


def test_a_long_line_takes_no_long_time() -> None:
    """Kinds are told apart by how lines begin, whatever follows and however much."""
    for odd in ("1" * 100_000 + "g", ":" * 100_000, "a:" * 50_000 + "1", "1.1m" * 30_000):
        assert len(masked(odd)) <= 300
    assert masked("x" * 400 + "a") == masked("x" * 400 + "b")
