"""`ship` on a real terminal: one live block, and the words in it."""

import os
import pty
import re
import subprocess
import sys

from console import Console, console

__all__ = ["console"]  # pytest takes fixtures by name from here


def on_a_terminal(console: Console, *arguments: str) -> tuple[int, str]:
    """Type a command on a pseudo-terminal; returns its exit code and what was drawn."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "surefoot", *arguments],
        cwd=console.folder,
        env=console.environment(TERM="xterm", COLUMNS="100"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = b""
    try:
        while piece := os.read(ours, 65_536):
            drawn += piece
    except OSError:
        pass  # Linux tells the end of a terminal by an error
    os.close(ours)
    return running.wait(timeout=60), drawn.decode(errors="replace")


def test_a_terminal_shows_one_live_block(console: Console) -> None:
    """It is drawn anew in its place, tells everything in words, and its end stays."""
    console.commit("ends restored")
    code, drawn = on_a_terminal(console, "ship")
    assert code == 10
    assert "\x1b[" in drawn, "a terminal gets a block that is drawn anew"
    words = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    for part in (
        '"ends restored"',
        "checks done 4.2 s",
        "10 % of requests",
        "evidence against it 3.5 of 100",
        "Change 1 is restored.",
        "Harmed: 2 of 210 requests",
        "Next: git revert abc1234 && surefoot ship",
    ):
        assert part in words, part


def test_json_stays_plain_on_a_terminal(console: Console) -> None:
    """A program behind a terminal still gets one object and nothing else."""
    console.commit("ends verified")
    code, drawn = on_a_terminal(console, "ship", "--json")
    assert code == 0
    assert drawn.startswith("{")
    assert "\x1b" not in drawn
