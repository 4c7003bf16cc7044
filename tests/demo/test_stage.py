"""The stage leaves nothing behind: real processes, ended from outside."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from surefoot.demo.stage import Counts, free_port

# A child that leaves its session and its parent, as daemons do, and does not listen to SIGTERM.
DETACHED = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(120)
"""
STAGED = """
import pathlib, subprocess, sys, time
from surefoot.demo.stage import Stage
with Stage(keep=False) as stage:
    subprocess.run([sys.executable, "-c", sys.argv[2], sys.argv[1]], check=True)
    while not (pathlib.Path(sys.argv[1]).exists() and pathlib.Path(sys.argv[1]).read_text()):
        time.sleep(0.01)
    print(stage.folder, flush=True)
    {then}
"""


def wait_for(what: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, None])
def test_whatever_happens_children_of_children_end_and_the_folder_goes(
    how: signal.Signals | None, tmp_path: Path
) -> None:
    """On a signal or an error, a detached grandchild that ignores SIGTERM is ended too."""
    then = "time.sleep(120)" if how else "raise ValueError('an accident')"
    said = tmp_path / "pid"
    play = subprocess.Popen(
        [sys.executable, "-c", STAGED.replace("{then}", then), str(said), DETACHED],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert play.stdout
    folder = Path(play.stdout.readline().strip())
    detached = Path("/proc") / said.read_text()
    if how:
        assert detached.exists()
        play.send_signal(how)
    assert play.wait(40) != 0
    assert wait_for(lambda: not detached.exists())
    assert not folder.exists()
    play.stdout.close()


def test_a_port_in_use_is_not_chosen() -> None:
    """The shop gets a port where nobody listens."""
    first = free_port()
    with socket.create_server(("127.0.0.1", first)):
        assert free_port() != first


def test_failed_by_switching_is_what_only_a_proxy_or_nobody_answers() -> None:
    """The shop's own 500 is no failure of switching; 502, 503, 504 and silence are."""
    counts = Counts(100, 2, {"200": 90, "500": 4, "502": 1, "503": 2, "504": 1})
    assert counts.failed_by_switching == 6
