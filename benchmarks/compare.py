"""The verdict beside the rules of other tools, on the same simulated rollouts, with fixed seeds.

    python benchmarks/compare.py [--quick] [--runs N] [--jobs N] [--write DIRECTORY]

A grid of error rates, harms, shares and traffic; the same without harm; and stresses. Each harm of
the grid is run N times, the worlds without harm and the stresses twice as often. Without options N
is 200, some five hours of processor time; `--quick` runs the grid's cells of 100 requests/s
10 times, some minutes. `--write` puts the page and its picture into a directory.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from rivals.cells import REQUESTS, Cell, grid, stresses
from rivals.chart import chart
from rivals.contest import Outcome, contest, scores
from rivals.page import page
from rivals.report import Results

Rollouts = list[dict[str, Outcome]]

FULL, QUICK = 200, 10
QUICK_REQUESTS = (100,)


def one(cell: Cell, number: int) -> dict[str, Outcome]:
    """One rollout of a cell; its number is its seed."""
    return contest(cell.world, str(number), patient=cell.kind == "stress")


def simulate(cells: Sequence[Cell], runs: int, jobs: int) -> Iterator[tuple[Cell, Rollouts]]:
    """Every cell with its rollouts, as they are done."""
    with ProcessPoolExecutor(jobs) as pool:
        for cell in cells:
            numbers = range(runs if cell.kind == "harm" else 2 * runs)
            started = time.perf_counter()
            found = list(pool.map(one, repeat(cell), numbers, chunksize=4))
            seconds = time.perf_counter() - started
            print(f"{cell.kind}: {cell.name} ({seconds:.0f} s)", file=sys.stderr, flush=True)
            yield cell, found


def main() -> None:
    """Simulate, and print or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="few runs of few cells")
    parser.add_argument("--runs", type=int, help="rollouts of each cell")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--write", type=Path, help="where rivals.md and rivals.svg go")
    told = parser.parse_args()
    runs = told.runs or (QUICK if told.quick else FULL)
    options = f"{' --quick' if told.quick else ''}{f' --runs {runs}' if told.runs else ''}"
    command = f"python benchmarks/compare.py{options} --write docs"
    every = [*grid(QUICK_REQUESTS if told.quick else REQUESTS), *stresses()]
    skipped = [cell for cell in every if cell.kind == "harm" and cell.bound > cell.world.watch]
    cells = [cell for cell in every if cell not in skipped]
    found = [
        (cell, scores(cell.world, rollouts)) for cell, rollouts in simulate(cells, runs, told.jobs)
    ]
    results = Results(found, skipped)
    text = page(results, command, runs)
    if told.write is None:
        print(f"{platform.platform()}, Python {platform.python_version()}, {told.jobs} jobs\n")
        print(text)
    else:
        (told.write / "rivals.md").write_text(text, encoding="utf-8")
        (told.write / "rivals.svg").write_text(chart(results, command), encoding="utf-8")


if __name__ == "__main__":
    main()
