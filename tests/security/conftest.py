"""Security tests stand on the worlds of other suites: recorded answers, memory, and real parts."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / name) for name in ("api", "engine", "e2e")]
