"""`drill` and `learn`: what is ordered, what is read, and what is not understood."""

import pytest
from console import Console, console

__all__ = ["console"]  # pytest takes fixtures by name from here


@pytest.fixture
def known(console: Console) -> Console:
    """The service of this folder is known."""
    console.commit("ends verified")
    console("ship", "--detach")
    return console


def test_placebo_runs_are_ordered_said_and_ended(known: Console) -> None:
    """How many and how often; `status` shows what is left; `--stop` ends it."""
    said = known("drill", "placebo", "--times", "20", "--every", "1d")
    assert said.code == 0, said
    assert said.out.splitlines() == [
        "To come: 20, 86400 s apart, ordered by Ann Example.",
        "  Next: surefoot learn shop",
    ]
    assert "  To come: 20, 86400 s apart" in known("status").out
    assert "No further placebo run" in known("drill", "placebo", "shop", "--stop").out
    assert "To come" not in known("status").out


def test_what_is_no_order_is_not_understood(known: Console) -> None:
    """None, too many, or a span that is none: exit 2, and nothing is ordered."""
    for wrong in (("--times", "0"), ("--times", "1001"), ("--every", "soon")):
        assert known("drill", "placebo", *wrong).code == 2
    assert "To come" not in known("status").out


def test_a_held_service_refuses_a_placebo(known: Console) -> None:
    """With the cure, exit 30."""
    known("hold", "--because", "market day")
    said = known("drill", "placebo")
    assert said.code == 30
    assert "surefoot resume" in said.err


def test_learn_says_how_often_it_is_wrong_and_what_told_it(known: Console) -> None:
    """The rate with its interval, the words, and phi of each metric with its source."""
    said = known("learn", "shop")
    assert said.code == 0, said
    assert said.out.splitlines() == [
        "shop",
        "  False alarms: none in 3 placebo runs: at most 71 % (95 %).",
        "  Verified 2, half of them within 62 s; inconclusive 1; ended before their word 1.",
        "  errors             phi  1.35   learnt from placebo runs",
        "  Next: surefoot drill placebo shop",
    ]
    rate = known("learn", "--json").object["services"][0]["false_alarms"]
    assert (rate["runs"], rate["alarms"], rate["high"]) == (3, 0, 0.71)
