"""A real Prometheus, filled with a past of our making, and what it scrapes when it is live."""

import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

REQUIRED = "prometheus" in os.environ.get("SUREFOOT_REQUIRE", "")
real_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None and not REQUIRED,
    reason="LEFT OUT: no Prometheus here; apt-get install --no-install-recommends prometheus",
)
STEP = 15
BOUNDS = ("0.05", "0.1", "0.2", "0.4", "+Inf")
START_S = 60.0


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def prometheus(folder: Path, config: str = "", *flags: str) -> Iterator[str]:
    """A Prometheus that keeps its data in `folder`; gives its address."""
    port = free_port()
    (folder / "prometheus.yml").write_text(config)
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            [
                *("nice", "-n", "19", "prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                *flags,
            ],
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(port, running, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait()


def _wait_for(port: int, running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and running.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1).close()
        except urllib.error.HTTPError as error:
            if error.code == 401:
                return
        except OSError:
            pass
        else:
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])


@dataclass
class Instance:
    """One instance's past: how much each counter grows by from scrape to scrape."""

    job: str
    release: str
    name: str
    phase: float = 0.0
    requests: int = 150
    errors: int = 1
    slow: int = 10
    bounds: tuple[str, ...] = BOUNDS
    restart_at: int = 10**9
    missing: frozenset[int] = frozenset()

    def samples(self, count: int, start: float) -> Iterator[tuple[str, str, float, int]]:
        """(family, labels, epoch seconds, value) of each scrape."""
        labels = f'job="{self.job}",release="{self.release}",instance="{self.name}"'
        for number in range(count):
            if number in self.missing:
                continue
            at = start + number * STEP + self.phase
            scrapes = number + 7 if number < self.restart_at else number - self.restart_at + 1
            good, bad = (self.requests - self.errors) * scrapes, self.errors * scrapes
            yield "requests", f'{labels},code="200"', at, good
            if bad:
                yield "requests", f'{labels},code="500"', at, bad
            for place, bound in enumerate(self.bounds):
                within = self.requests - self.slow * (len(self.bounds) - 1 - place)
                yield "seconds", f'{labels},le="{bound}"', at, within * scrapes


def past(instances: list[Instance], count: int, start: float) -> str:
    """OpenMetrics text of all instances, as `promtool` turns it into blocks."""
    lines: dict[str, list[str]] = {"requests": [], "seconds": []}
    for instance in instances:
        for family, labels, at, value in instance.samples(count, start):
            series = "requests_total" if family == "requests" else "seconds_bucket"
            lines[family].append(f"{series}{{{labels}}} {value} {at:.3f}")
    kinds = {"requests": "counter", "seconds": "histogram"}
    told = [[f"# TYPE {name} {kinds[name]}", *found] for name, found in lines.items()]
    return "\n".join([*(line for family in told for line in family), "# EOF", ""])


def fill(folder: Path, text: str) -> None:
    """Put a past into a Prometheus that does not run yet."""
    (folder / "past").write_text(text)
    argv = ["promtool", "tsdb", "create-blocks-from", "openmetrics"]
    subprocess.run([*argv, folder / "past", folder / "data"], check=True, capture_output=True)


@dataclass
class Shop:
    """A live service: each look at its page adds a second's requests."""

    failing: float
    page: dict[str, int] = field(default_factory=lambda: {"200": 0, "500": 0})

    def look(self) -> str:
        self.page["200"] += round(100 * (1 - self.failing))
        self.page["500"] += round(100 * self.failing)
        return "".join(
            f'requests_total{{code="{code}"}} {count}\n' for code, count in self.page.items()
        )


@contextmanager
def serving(
    answers: Mapping[str, Callable[[], tuple[int, dict[str, str], bytes]]],
) -> Iterator[str]:
    """An HTTP server with an answer for each path; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answers[self.path.split("?")[0]]()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 -- the names that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
