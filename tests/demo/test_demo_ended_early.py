"""`surefoot demo` as a whole, ended early: the real control plane, proxy and customers."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

STARTED = re.compile(r"starting the control plane, the proxy and its keeper in (\S+)")


def running_below(folder: str) -> list[str]:
    """The command lines of all processes that name this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:  # it ended while we looked
                continue
            if folder.encode() in words:
                found.append(words.decode(errors="replace"))
    return found


def demo_with_its_parts() -> tuple[subprocess.Popen[str], str]:
    """A demo whose proxy, keeper, release and customers run, and its folder."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "surefoot", "demo", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stderr
    folder = ""
    for line in demo.stderr:
        found = STARTED.search(line)
        folder = found[1] if found else folder
        if "baseline" in line:
            break
    assert running_below(folder), "the demo ended before it was interrupted"
    return demo, folder


def test_interrupted_it_ends_everything_that_it_started() -> None:
    """On SIGTERM in the middle: exit 130, no process, no folder, nothing on standard output."""
    demo, folder = demo_with_its_parts()
    demo.send_signal(signal.SIGTERM)
    said, trouble = demo.communicate(timeout=60)
    assert (demo.returncode, said) == (130, ""), trouble
    assert running_below(folder) == []
    assert not Path(folder).exists()


def test_killed_it_leaves_no_process_and_no_folder() -> None:
    """It cannot tidy up any more; what it started does, within the time that ending takes."""
    demo, folder = demo_with_its_parts()
    demo.kill()
    demo.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while running_below(folder) or Path(folder).exists():
        assert time.monotonic() < deadline, running_below(folder)
        time.sleep(0.1)
