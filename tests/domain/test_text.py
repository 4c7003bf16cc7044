"""What is shown of texts that others wrote: made fit, and no more than there is room for."""

from hypothesis import given
from hypothesis import strategies as st

from surefoot.domain.text import beginning, fit

TEXTS = st.lists(st.text(max_size=30), max_size=12).map("\n".join)


@given(TEXTS, st.integers(1, 8), st.integers(1, 80), st.integers(2, 20))
def test_lines_shown_and_left_out_add_up(text: str, most: int, size: int, longest: int) -> None:
    """Whatever the text holds: within all three bounds, and not one line forgotten."""
    shown, left_out = beginning(text, most, size, longest)
    every = text.split("\n")[: -1 if text.endswith("\n") or not text else None]
    assert len(shown) + left_out == len(every)
    assert len(shown) <= most
    assert sum(len(line.encode()) + 1 for line in shown) <= size
    assert list(shown) == [fit(line, longest) for line in every[: len(shown)]]


def test_a_line_is_cut_and_steers_nothing() -> None:
    """A tab stays, what moves a cursor does not, and the cut is marked."""
    assert (
        fit("\tif x:\x1b[2J\r", 40)
        == "\tif x:\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}"
    )
    assert fit("abcdef", 6) == "abcdef"
    assert fit("abcdefg", 6) == "abcde…"
