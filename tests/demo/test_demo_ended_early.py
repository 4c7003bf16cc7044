"""`surefoot demo` as a whole, ended early: the real control plane, proxy and customers."""

import re
import signal
import subprocess
import sys
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


def test_interrupted_it_ends_everything_that_it_started() -> None:
    """On SIGTERM in the middle: exit 130, no process, no folder, nothing on standard output."""
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
        if "baseline" in line:  # by now proxy, keeper, release and customers run
            break
    assert running_below(folder), "the demo ended before it was interrupted"
    demo.send_signal(signal.SIGTERM)
    said, trouble = demo.communicate(timeout=60)
    assert (demo.returncode, said) == (130, ""), trouble
    assert running_below(folder) == []
    assert not Path(folder).exists()
