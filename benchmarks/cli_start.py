"""How long the command line takes to start: `python benchmarks/cli_start.py`.

Prints, for each command, the median and the worst of its runs beside those of a bare interpreter,
taken in turn so that a busy machine slows all alike; and the processor time, which tells what is
ours when others are busy. To reach: below 0.3 s.
"""

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 15
GOAL_S = 0.3
COMMANDS = {
    "bare interpreter": ["-c", "pass"],
    "surefoot --help": ["-m", "surefoot", "--help"],
    "surefoot --version": ["-m", "surefoot", "--version"],
    "surefoot ship --help": ["-m", "surefoot", "ship", "--help"],
    "surefoot status (no daemon)": ["-m", "surefoot", "status"],
    "surefoot judge --help": ["-m", "surefoot", "judge", "--help"],
}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "SUREFOOT_HOME": home}
        seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
        processor: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(RUNS):
            for name, arguments in COMMANDS.items():
                used, started = processor_s(), time.perf_counter()
                subprocess.run(
                    [sys.executable, *arguments], env=environment, capture_output=True, check=False
                )
                seconds[name].append(time.perf_counter() - started)
                processor[name].append(processor_s() - used)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name, taken in seconds.items():
        median = statistics.median(taken)
        goal = "" if median < GOAL_S else f"  above {GOAL_S} s"
        cpu = statistics.median(processor[name])
        said = f"median {median:.3f} s (processor {cpu:.3f} s), worst {max(taken):.3f} s"
        print(f"{name:<30} {said}{goal}")


def processor_s() -> float:
    """Processor time of all children so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
