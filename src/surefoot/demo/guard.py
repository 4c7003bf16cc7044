"""Runs a part of the demo, and ends it when the demo is gone: python -m surefoot.demo.guard ...

A demo that is killed cannot tidy up. Its end of this process's standard input is closed all the
same; then everything below this process ends, and the demo's folder goes.
"""

import select
import shutil
import signal
import subprocess
import sys

from surefoot.demo.descendants import LOOK_EVERY_S, adopt_orphans, end_descendants

__all__ = ["main"]


def main(folder: str, *words: str) -> int:
    """Run Python with these words until it ends, or the demo does; returns its exit code."""
    adopt_orphans()
    part = subprocess.Popen([sys.executable, *words], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: part.terminate())
    while part.poll() is None:
        closed, _, _ = select.select([sys.stdin], [], [], LOOK_EVERY_S)  # nobody ever writes there
        if closed:
            end_descendants()
            shutil.rmtree(folder, ignore_errors=True)
    return part.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
