"""What each address of the pages answers, over real HTTP."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from gallery import STATES, Gallery, gallery
from recorded import Served, served

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def control() -> Gallery:
    """Every state of a change."""
    return gallery()


@pytest.fixture(scope="module")
def site(control: Gallery) -> Iterator[Served]:
    """The pages of that control plane."""
    with served(control) as address:
        yield address


BEYOND = 2**63


@pytest.mark.parametrize("path", [f"/changes/{BEYOND}", f"/changes/{BEYOND}/undo", "/changes/7"])
def test_what_is_not_there_is_said_so(site: Served, path: str) -> None:
    """A number of any length leads to a plain no."""
    status, page, _ = site.send("GET", path)
    assert status == 404
    assert "<h1>" in page


def test_undoing_a_first_release_means_that_of_its_service(site: Served, control: Gallery) -> None:
    """Number 0 alone would not tell which."""
    control.shown[0] = replace(STATES["getting_ready"], number=0, service="held")
    _, page, _ = site.send("GET", "/changes/0?service=held")
    assert "surefoot undo --service held" in page
    status, _, answer = site.send("POST", "/changes/0/undo?service=held", b"", headers=FORM)
    assert (status, answer.getheader("Location")) == (303, "/changes/0?service=held")
    assert control.orders[-1] == ("undo_service", "held")
