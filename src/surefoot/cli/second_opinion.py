"""`judge --prometheus`: a verdict on what somebody else ships, from what Prometheus has of it."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import IO, Any, Protocol

from surefoot.analysis.planrow import plan_from_row
from surefoot.analysis.record import JudgeResult, row_to_json
from surefoot.analysis.ticks import Arm, Row
from surefoot.cli.figures import moment
from surefoot.cli.output import note
from surefoot.cli.recorded import Recorded
from surefoot.domain.errors import BadEvidence, OutsideFailed, Refused
from surefoot.domain.verdict import Word
from surefoot.drawing.figures import span

__all__ = ["Asked", "second_opinion"]

HEADERS = "SUREFOOT_PROMETHEUS_HEADERS"
LOOK_BACK_S = 900.0
LEAST_LOOK_S = 1.0
FIRST_LOOK_S = 5.0  # between looks, until the scrape interval is known
SILENCE_S = 300.0  # a Prometheus that is away for longer is given up


class Seen(Protocol):
    """What was noticed while reading."""

    instances: Mapping[Arm, int]
    ticks: int
    joined: int
    resets: int


class Source(Protocol):
    """What is asked of `surefoot.adapters.prometheus.Reader`."""

    @property
    def interval(self) -> float | None: ...
    @property
    def seen(self) -> Seen: ...
    @property
    def silent_errors(self) -> bool: ...
    def rows(self, end: float, now: float) -> Iterator[Row]: ...
    def refuse_nothing(self) -> None: ...


Judged = Callable[[Recorded], JudgeResult]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed. Times in epoch seconds, `lasting` in seconds."""

    url: str
    canary: str
    baseline: str
    errors: str | None
    latency: str | None
    start: float | None
    end: float | None
    lasting: float | None
    headers: Path | None
    plan: Path | None
    record: Path | None
    follow: bool


def second_opinion(asked: Asked, judged: Judged, say: Callable[[str], None]) -> JudgeResult:
    """Judge what a Prometheus has, once, or until there is a verdict.

    Every look judges the whole record so far, so that the result is that of `surefoot judge` on the
    same record.

    Args:
        asked: what was typed.
        judged: judges a record.
        say: is told each new reading while it follows.

    Raises:
        OutsideFailed: Prometheus does not answer.
        BadEvidence: what it has, or what was typed, cannot be judged.
    """
    start, end = _times(asked)
    # It brings an HTTP client with it, which no other command wants to load.
    prometheus = resolve_name("surefoot.adapters.prometheus")
    question = prometheus.question(asked.canary, asked.baseline, asked.errors, asked.latency)
    headers = _headers(asked.headers, prometheus.read_headers)
    reader = prometheus.Reader(asked.url, headers, question, start)
    plan = _plan(asked, max(end - start, LOOK_BACK_S))
    with _record(asked.record) as file:
        record = _Growing(file, plan)
        if asked.follow:
            result = _followed(reader, record, judged, say)
        else:
            record.add(reader.rows(end, time.time()), reader)
            reader.refuse_nothing()
            result = judged(record.lines)
    _note_what_was_read(reader, asked, start)
    return result


class _Growing:
    """A record that grows: the plan once the first row is there, and the rows."""

    def __init__(self, file: IO[bytes], plan: dict[str, Any]) -> None:
        self._file, self._plan = file, plan
        self.is_begun = False

    def add(self, rows: Iterator[Row], reader: Source) -> bool:
        """Write rows down; returns whether there were any."""
        has_grown = False
        self._file.seek(0, os.SEEK_END)
        for row in rows:
            if not self.is_begun:
                plan = {"interval": reader.interval, **self._plan}
                self._file.write(json.dumps({"plan": plan}).encode() + b"\n")
            self._file.write(row_to_json(row).encode() + b"\n")
            self.is_begun = has_grown = True
        self._file.flush()
        return has_grown

    @property
    def lines(self) -> Recorded:
        """All of it, from the first line on."""
        self._file.seek(0)
        return Recorded(self._file, "what Prometheus has")


def _followed(
    reader: Source, record: _Growing, judged: Judged, say: Callable[[str], None]
) -> JudgeResult:
    """Look again at every scrape, until there is a verdict."""
    said, heard = "", time.monotonic()
    while True:
        has_grown = False
        try:
            has_grown = record.add(reader.rows(float("inf"), time.time()), reader)
            heard = time.monotonic()
        except OutsideFailed as error:
            if time.monotonic() - heard > SILENCE_S:
                raise
            note(f"{error.message} It is asked again.")
        if has_grown:
            result = judged(record.lines)
            if result.reading.word is not Word.WATCHING:
                return result
            now = result.reading.because
        elif not record.is_begun:
            now = "watching: both arms were not scraped twice yet"
        else:
            now = said
        if now != said:
            said = now
            say(said)
        time.sleep(max(reader.interval or FIRST_LOOK_S, LEAST_LOOK_S))


def _times(asked: Asked) -> tuple[float, float]:
    """From when to when, epoch seconds."""
    if asked.start is not None and asked.lasting is not None:
        raise BadEvidence("--start and --for both say where to begin.", cure="Give one of them.")
    if asked.follow and asked.end is not None:
        raise BadEvidence("--follow goes on until a verdict, not to an --end.", cure="Give one.")
    end = time.time() if asked.end is None else asked.end
    start = end - (asked.lasting or LOOK_BACK_S) if asked.start is None else asked.start
    if start >= end:
        raise BadEvidence(
            f"It would begin at {moment(start)} and end at {moment(end)}.",
            cure="Give --start an earlier time than --end.",
        )
    return start, end


def _plan(asked: Asked, lasting: float) -> dict[str, Any]:
    """The plan of the record: what the file says, with both metrics that are asked for."""
    told: Any = {}
    if asked.plan is not None:
        try:
            told = json.loads(asked.plan.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadEvidence(
                f"{asked.plan} holds no plan: {error}.", cure='Write {"plan": {...}} as JSON.'
            ) from error
    plan = told.get("plan", told) if isinstance(told, dict) else told
    plan_from_row({"plan": plan}, where=str(asked.plan))
    if not isinstance(plan, dict):
        raise BadEvidence(f"{asked.plan} holds no plan.", cure="Write it as a JSON object.")
    metrics = {
        **({"errors": {"kind": "ratio"}} if asked.errors else {}),
        **({"latency": {"kind": "latency"}} if asked.latency else {}),
    }
    return {"time_limit": lasting, **plan, "metrics": {**metrics, **(plan.get("metrics") or {})}}


def _headers(file: Path | None, read: Callable[[str, str], Mapping[str, str]]) -> Mapping[str, str]:
    if file is None:
        return read(os.environ.get(HEADERS, ""), f"${HEADERS}")
    try:
        return read(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise BadEvidence(
            f"{file} cannot be read: {error}.", cure="Name a file of lines."
        ) from error


@contextmanager
def _record(file: Path | None) -> Iterator[IO[bytes]]:
    """Where the record is written: a file that is not there yet, or one that goes by itself."""
    if file is None:
        with tempfile.TemporaryFile() as temporary:
            yield temporary
        return
    try:
        opened = file.open("x+b")
    except OSError as error:
        raise Refused(
            f"{file} cannot be written: {error.strerror}.", cure="Name a new file to --record."
        ) from error
    with opened:
        yield opened


def _note_what_was_read(reader: Source, asked: Asked, start: float) -> None:
    seen = reader.seen
    told = ", ".join(f"{count} of the {arm}" for arm, count in seen.instances.items())
    joined = f", {seen.joined} scrapes missed" if seen.joined else ""
    resets = f", {seen.resets} counters reset" if seen.resets else ""
    note(
        f"Read since {moment(start)}: instances {told}; {seen.ticks} ticks of "
        f"{span(reader.interval)}{joined}{resets}."
    )
    if reader.silent_errors:
        note(f"No series is selected by {asked.errors}: counted as no errors. Look whether it is.")
