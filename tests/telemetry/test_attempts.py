"""The attempt log is read once, in order, across rotation, and a torn row costs only itself."""

import json
import math
from itertools import pairwise

import pytest

from surefoot.adapters.telemetry.attempts import BOUNDS_S, AttemptLog, cumulative

HOST = "127.0.0.1:8001"


def row(milliseconds: object, host: str | None = HOST, code: int = 200) -> str:
    return json.dumps(
        {"cluster": "c", "code": code, "flags": "-", "host": host, "ms": milliseconds, "start": "1"}
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "attempts.log"


@pytest.fixture
def log(path):
    path.write_text(row(1) + "\n")
    log = AttemptLog(path)
    log.read()
    yield log
    log.close()


def write(path, *rows: str, end: str = "\n") -> None:
    with path.open("a") as file:
        file.write("\n".join(rows) + end)


def counted(log, *hosts: str) -> int:
    log.read()
    return sum(log.taken(hosts or (HOST,)))


def test_only_what_is_new(log, path):
    """Rows from before the first look are the past; each later row is counted once."""
    assert counted(log) == 0
    write(path, row(5), row(7))
    assert counted(log) == 2
    assert counted(log) == 0


def test_by_host(log, path):
    """A row counts for the host that answered and for no other."""
    write(path, row(5), row(7, host="127.0.0.1:8002"), row(9, host="127.0.0.1:8003"))
    assert counted(log) == 1
    assert counted(log, "127.0.0.1:8002", "127.0.0.1:8003", "127.0.0.1:8004") == 2


def test_without_an_answer(log, path):
    """Attempts that were refused, reset or given up have no latency."""
    write(path, row(5, code=0), row(None), row(7, host=None), row(500, code=500))
    assert counted(log) == 1


def test_half_a_row_waits(log, path):
    """A row that is being written is counted when it is whole."""
    whole = row(5)
    write(path, row(3), whole[:20], end="")
    assert counted(log) == 1
    write(path, whole[20:])
    assert counted(log) == 1


def test_torn_rows(log, path):
    """A row that cannot be read costs only itself."""
    write(path, row(5), '{"host": "127.0', "\udcff".encode(errors="replace").decode(), row(7))
    assert counted(log) == 2


def test_rotation_by_rename(log, path):
    """Rows written to the old file after the rename and to the new one are all counted."""
    write(path, row(5))
    old = path.rename(path.with_suffix(".1"))
    write(old, row(6))
    assert counted(log) == 2
    write(old, row(7))
    write(path, row(8), row(9))
    assert counted(log) == 3
    write(path, row(10))
    assert counted(log) == 1


def test_rotation_by_truncation(log, path):
    """After the log was emptied in place it is read from its start."""
    write(path, *[row(5)] * 5)
    assert counted(log) == 5
    path.write_text("")
    assert counted(log) == 0
    write(path, row(6))
    assert counted(log) == 1


def test_log_that_comes_later(path):
    """A log that does not exist yet is unknown, and then read from its first row."""
    log = AttemptLog(path)
    log.read()
    assert not log.found
    write(path, row(5))
    assert counted(log) == 1
    assert log.found
    log.close()


def test_bins():
    """Bounds are the E24 series from 1 ms to 60 s, and a value at a bound belongs to it."""
    assert BOUNDS_S[0] == 0.001
    assert BOUNDS_S[-1] == 56.0
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))
    assert all(1.04 < b / a < 1.16 for a, b in pairwise(BOUNDS_S))


@pytest.mark.parametrize(
    ("milliseconds", "bound"), [(0, 0.001), (1, 0.001), (2, 0.002), (95, 0.1), (61_000, math.inf)]
)
def test_a_value_is_in_its_bin(log, path, milliseconds, bound):
    """A duration is counted at the first bound that is not below it, and at all later ones."""
    write(path, row(milliseconds))
    log.read()
    le = cumulative(log.taken([HOST]))
    assert min(b for b, count in le.items() if count) == bound
    assert le[math.inf] == 1
