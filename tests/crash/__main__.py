"""`python tests/crash [--seed N] [FAULT ...]`: every fault in turn, and what was not as promised.

Exits with 1 when anything was not. It takes about half an hour; a seed repeats its moments.
"""

import argparse
import secrets
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))

from checker import failed, lapses, violations
from crash_faults import FAULTS, record


def main():
    """Run what was asked for, and print a line for each fault and each violation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of: {', '.join(FAULTS)}")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    asked = parser.parse_args()
    if unknown := set(asked.faults) - FAULTS.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    found = [run(name, asked.seed) for name in asked.faults or FAULTS]
    print(f"seed {asked.seed}: {sum(found)} violations in {len(found)} faults")
    return min(sum(found), 1)


def run(name, seed):
    """One fault; returns the number of violations."""
    began = time.monotonic()
    told = record(FAULTS[name], seed)
    ends = Counter(f"{one.phase} ({one.cause})" if one.cause else one.phase for one in told.ships)
    asked = sum(map(len, told.answers.values()))
    met = sum(one.release not in {"", "0"} for got in told.answers.values() for one in got)
    slowest = max(lapses(told).values(), default=0.0)
    print(
        f"{name}, seed {seed}, {time.monotonic() - began:.0f} s: "
        f"{', '.join(f'{count} {end}' for end, count in ends.items())}; "
        f"daemon away {len(told.away)} times; {met} of {asked} requests met a change, "
        f"{failed(told)} failed (bound {told.may_fail}); given back within {slowest:.2f} s",
        flush=True,
    )
    found = violations(told)
    for sentence in found:
        print(f"  VIOLATION, seed {seed}: {sentence}", flush=True)
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
