"""Worlds for end-to-end tests: one for each worker, fresh ones where the daemon is killed."""

import pytest
from world import Load, World


@pytest.fixture(scope="session")
def world():
    """A daemon that several tests share, each with services of its own."""
    made = World()
    try:
        made.up()
        yield made
    finally:
        made.end()


@pytest.fixture
def own_world():
    """A daemon for one test alone, which may kill it."""
    made = World()
    try:
        made.up()
        yield made
    finally:
        made.end()


@pytest.fixture
def load():
    """Start load on a port; whatever is left running ends with the test."""
    running = []

    def start(port, per_s=80, path="/"):
        running.append(Load(port, per_s, path))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.end()
