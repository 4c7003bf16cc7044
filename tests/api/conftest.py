"""A control plane with recorded facts, and its API on a port."""

from collections.abc import Iterator

import pytest
from recorded import Recorded, Served, served


@pytest.fixture
def control() -> Recorded:
    return Recorded()


@pytest.fixture
def api(control: Recorded) -> Iterator[Served]:
    with served(control) as address:
        yield address
