"""A service that runs today is left alone: the proxy stands in front of it, and goes back to it."""

import os
import shutil
import subprocess
import sys
import urllib.request

import pytest
from world import BO, SERVER, Load, free_port, wait_for


@pytest.fixture
def older(tmp_path):
    """The process that somebody else started, long before."""
    port = free_port()
    shutil.copy(SERVER, tmp_path)
    (tmp_path / "behaviour.json").write_text('{"errors": 0.01}')
    process = subprocess.Popen(
        [sys.executable, "server.py"],
        cwd=tmp_path,
        env={**os.environ, "PORT": str(port)},
        stdin=subprocess.DEVNULL,
    )
    wait_for(lambda: _answer(port) == "", "the older process answers", 30)
    yield port, process
    process.kill()
    process.wait()


def _answer(port):
    """Which release answers; "" for one that Surefoot did not start, None for nobody."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/release", timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return None


def test_what_runs_today_is_the_first_baseline_and_the_way_back(own_world, older):
    """It is neither built, started nor ended; a change beside it is ours, and goes back to it."""
    port, process = older
    shop = own_world.service("older")
    text = shop.manifest.replace("[release]", f'upstream = "127.0.0.1:{port}"\n\n[release]', 1)
    shop.manifest = text.replace("[release]", '[release]\nbuild = ["false"]', 1)
    (shop.folder / "surefoot.toml").write_text(shop.manifest)
    shop.commit("what runs today", errors=0.01)
    shop.adopt()
    assert _answer(shop.port) == ""
    users = Load(shop.port, 60)
    try:
        shop.history(61)
        (shop.folder / "surefoot.toml").write_text(text)
        shop.commit("one of ours", errors=0.01, seed=2)
        number = shop.ship()
        shop.until(number, {"rolling_out", "verifying"}, 60)
        wait_for(lambda: _answer(shop.port) == str(number), "somebody meets the change", 30)
        own_world.post(f"/v1/changes/{number}/undo", {"because": "a test"}, BO)
        shop.until(number, "restored", 60)
        assert {_answer(shop.port) for _ in range(50)} == {""}
    finally:
        counts = users.end()
    assert set(counts) <= {"200", "500"}
    assert process.poll() is None
