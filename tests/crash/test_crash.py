"""Parts are killed at random moments, and every promise holds. `make crash` is the full run."""

import pytest
from checker import violations
from crash_faults import BRIEF, record


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [20261123])
def test_whatever_is_killed_every_promise_holds(seed):
    """The daemon three times and every other part once, under two rollouts with users."""
    assert violations(record(BRIEF, seed)) == ()
