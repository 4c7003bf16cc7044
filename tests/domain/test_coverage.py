"""Added lines beside coverage reports: which can run, and which no check ran."""

from difflib import SequenceMatcher, unified_diff

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.domain.coverage import (
    LONGEST_PATH,
    MOST_FILES,
    MOST_RANGES,
    Coverage,
    Hits,
    Report,
    UntestedFile,
    added_lines,
    coverage,
    read_hits,
)

ROOT = "/home/x/checks"
# Lines that look like parts of a diff, and those that Python would break in two.
TEXTS = st.lists(
    st.sampled_from(["a", "", "++ b/x", "-- a/x", "@@ -1 +1 @@", "\\ No", "\x0c", "\u2028", "\r"]),
    max_size=12,
)
FILES = ("app.py", "lib/rules.py")
COUNTS = st.lists(
    st.tuples(st.sampled_from(FILES), st.integers(0, 30), st.integers(-2, 3)), max_size=40
)


def lcov(counts: list[tuple[str, int, int]]) -> str:
    """A section for each count, as tools write them that append to their report."""
    return "".join(
        f"TN:\nSF:{file}\nFN:1,f\nDA:{line},{hits}\nLF:1\nend_of_record\n"
        for file, line, hits in counts
    )


def told(text: str, added: dict[str, set[int]], folder: str = ROOT) -> Hits:
    return read_hits(Report(text, ROOT, folder), added)


def untested(text: str, added: dict[str, set[int]]) -> Coverage:
    return coverage([told(text, added)])


@settings(deadline=None)
@given(
    old=st.dictionaries(st.sampled_from(FILES), TEXTS),
    new=st.dictionaries(st.sampled_from(FILES), TEXTS),
)
def test_added_lines_are_numbered_as_they_stand_after_the_change(
    old: dict[str, list[str]], new: dict[str, list[str]]
) -> None:
    """Whatever the lines look like, and however the hunks lie."""
    patch, expected = "", {}
    for file in FILES:
        before, after = old.get(file, []), new.get(file, [])
        lines = unified_diff(before, after, f"a/{file}", f"b/{file}", lineterm="", n=1)
        patch += "".join(f"{line}\n" for line in lines)
        found = {
            number + 1
            for kind, _, _, start, end in SequenceMatcher(None, before, after).get_opcodes()
            if kind in {"insert", "replace"}
            for number in range(start, end)
        }
        if found:
            expected[file] = found
    assert added_lines(patch) == expected


@settings(deadline=None)
@given(
    reports=st.lists(COUNTS, max_size=3),
    added=st.dictionaries(st.sampled_from(FILES), st.sets(st.integers(1, 30)), max_size=2),
)
def test_a_line_is_tested_when_any_check_ran_it(
    reports: list[list[tuple[str, int, int]]], added: dict[str, set[int]]
) -> None:
    """Against sets of lines: those that any report names, without those that any report ran."""
    counts = [
        ((file, line), hits)
        for report in reports
        for file, line, hits in report
        if line in added.get(file, ())
    ]
    known = {place for place, _ in counts}
    missing = known - {place for place, hits in counts if hits > 0}
    seen = coverage(told(lcov(report), added) for report in reports)
    assert (seen.can_run, seen.untested, seen.left_out) == (len(known), len(missing), 0)
    shown = [
        (file.path, line)
        for file in seen.files
        for first, last in file.lines
        for line in range(first, last + 1)
    ]
    assert shown == sorted(missing)
    for file in seen.files:
        assert all(
            one[1] + 1 < two[0] for one, two in zip(file.lines, file.lines[1:], strict=False)
        )


@settings(deadline=None)
@given(st.text(max_size=200) | st.text("SFDA:,-0123456789\r\nend_of_record@+ ", max_size=200))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    """Neither a report nor a diff, whatever it holds, ends in anything but numbers."""
    seen = untested(f"SF:app.py\n{text}", {"app.py": {1, 2, 3}})
    assert 0 <= seen.untested <= seen.can_run <= 3
    for lines in added_lines(f"+++ b/app.py\n{text}").values():
        assert all(isinstance(line, int) for line in lines)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("b/app.py", "app.py"),
        ("b/my app.py\t", "my app.py"),
        ('"b/l\\303\\244den.py"', "läden.py"),
        ('"b/a\\t\\"b\\"\\\\.py"', 'a\t"b"\\.py'),
        ('"b/odd\\377.py"', "odd\N{REPLACEMENT CHARACTER}.py"),
        ("b/b/<script>.py", "b/<script>.py"),
    ],
)
def test_a_file_is_known_under_its_own_name(head: str, name: str) -> None:
    """Git quotes what is odd in a name; a coverage tool does not."""
    patch = (
        f"diff --git x y\n--- a/x\n+++ {head}\n@@ -0,0 +1 @@\n+1\n\\ No newline at end of file\n"
    )
    assert added_lines(patch) == {name: {1}}
    assert untested(f"SF:{name}\nDA:1,0\nend_of_record\n", {name: {1}}).untested == 1


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("app.py", "shop/app.py"),
        ("./src/../app.py", "shop/app.py"),
        ("../common/rules.py", "common/rules.py"),
        (f"{ROOT}/shop/app.py", "shop/app.py"),
        (f"{ROOT}/common/rules.py", "common/rules.py"),
        ("/usr/lib/python3/abc.py", None),
        (f"{ROOT}2/shop/app.py", None),
        ("../../../etc/passwd", None),
        ("..", None),
    ],
)
def test_a_report_may_name_files_from_its_folder_or_from_the_root_of_all(
    name: str, place: str | None
) -> None:
    """A service in a folder of its repository; what lies outside of that is nobody's."""
    assert Report("", ROOT, f"{ROOT}/shop").place(name) == place


@pytest.mark.parametrize(
    ("record", "can_run", "missing"),
    [
        ("DA:1,0", 1, 1),
        ("DA:1,7,rYhzHD9c3b0", 1, 0),
        ("DA:1,-4", 1, 1),
        ("DA:1,00", 1, 1),
        (f"DA:1,{'9' * 5000}", 1, 0),
        (f"DA:{'9' * 5000},1", 0, 0),
        ("DA:-1,1", 0, 0),
        ("DA:1", 0, 0),
        ("DA:1,=====", 0, 0),
        ("DA:٣,1", 0, 0),
    ],
)
def test_odd_counts_are_read_or_told(record: str, can_run: int, missing: int) -> None:
    """Huge and negative numbers are counts; what is none is said, and never passed off as run."""
    report = told(f"SF:app.py\r\n{record}\r\nend_of_record\r\n", {"app.py": {1, 3}})
    seen = coverage([report])
    assert (seen.can_run, seen.untested) == (can_run, missing)
    assert report.malformed == (0 if can_run else 1)


def test_what_belongs_to_no_file_is_not_counted() -> None:
    """A record before the first file, or behind the end of one, tells of nothing."""
    text = "DA:1,1\nSF:app.py\nDA:2,1\nend_of_record\nDA:3,1\n"
    assert told(text, {"app.py": {1, 2, 3}}).lines == {"app.py": {2: True}}


def test_a_report_that_is_cut_off_counts_as_far_as_it_goes() -> None:
    """A tool that was ended left the last file without its end."""
    assert untested("SF:app.py\nDA:1,0\nDA:2,1", {"app.py": {1, 2}}).untested == 1


@pytest.mark.parametrize("text", ["", "\0\1\2", "<?xml version='1.0'?>", "mode: set\n"])
def test_what_is_no_report_is_known_for_none(text: str) -> None:
    """A tracefile names a file; an empty one, a binary or another format does not."""
    assert not told(text, {"app.py": {1}}).is_report


def test_what_is_kept_is_bounded() -> None:
    """However much is untested: so many files and ranges, and how many lines stand in none."""
    many = {f"{number:03}{'x' * 400}.py": {1, 3} for number in range(MOST_FILES + 10)}
    seen = untested(lcov([(file, line, 0) for file in many for line in (1, 3)]), many)
    assert (len(seen.files), seen.untested, seen.left_out) == (MOST_FILES, 120, 20)
    assert max(len(file.path) for file in seen.files) == LONGEST_PATH
    lines = set(range(1, 1001, 2))
    seen = untested(lcov([("app.py", line, 0) for line in lines]), {"app.py": lines})
    assert (len(seen.files[0].lines), seen.left_out) == (MOST_RANGES, 500 - MOST_RANGES)


def test_what_steers_a_terminal_is_not_kept() -> None:
    """A file's name is shown; whoever chose it decides nothing else."""
    name = "a\x1b[31m\u202e.py"
    seen = untested(f"SF:{name}\nDA:1,0\n", {name: {1}})
    assert seen.files == (UntestedFile("a�[31m�.py", ((1, 1),)),)
