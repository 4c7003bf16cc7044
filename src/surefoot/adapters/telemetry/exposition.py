"""Reads Prometheus' text format, as far as somebody asked for it.

Pure: text in, numbers out. Only lines that begin with a wanted name are looked into, which makes
a page of a thousand samples cost a quarter of a millisecond. The rules are those of Prometheus'
"Exposition formats", text format 0.0.4; the timestamps and exemplars of OpenMetrics are passed by.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from surefoot.analysis.ticks import LARGEST_SAMPLE
from surefoot.domain.errors import Refused

__all__ = ["Page", "Sample", "Selector", "buckets", "read_page", "selector", "total"]

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SERIES = re.compile(rf"\s*({_NAME})\s*(?:\{{(.*)\}})?\s*", re.DOTALL)
_MATCH = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|$)')
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
_ESCAPE = re.compile(r'\\[\\"n]')
_PARTS = ("_bucket", "_count", "_sum", "_total", "_created", "_info")


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by name and labels; `matches` are (label, whether it must be equal, value)."""

    name: str
    matches: tuple[tuple[str, bool, str], ...] = ()

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is meant; an absent label is an empty one."""
        return all(
            (labels.get(label, "") == value) is equal for label, equal, value in self.matches
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a page."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Page:
    """What a page has of the wanted names; `families` are those that it at least announces."""

    samples: Mapping[str, Sequence[Sample]]
    families: frozenset[str]


def selector(text: str) -> Selector:
    """Read `name` or `name{label="value", other!="value"}`.

    Raises:
        Refused: it is written otherwise.
    """
    series = _SERIES.fullmatch(text)
    if series is None:
        raise _not_a_selector(text)
    matches = []
    inner, at = series[2] or "", 0
    while inner[at:].strip():
        found = _MATCH.match(inner, at)
        if found is None:
            raise _not_a_selector(text)
        matches.append((found[1], found[2] == "=", _plain(found[3])))
        at = found.end()
    return Selector(series[1], tuple(matches))


def read_page(text: str, names: Collection[str]) -> Page:
    """The samples of the wanted series names, and which of them the page announces."""
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    announced: set[str] = set()
    prefixes = tuple(names)
    for line in text.split("\n"):
        if line.startswith(prefixes):
            found = _sample(line)
            if found is not None and found[0] in samples:
                samples[found[0]].append(found[1])
        elif line.startswith(("# TYPE ", "# HELP ")):
            announced.update(line.split(None, 3)[2:3])  # a name, unless somebody left it out
    families = {name for name in names if samples[name] or not announced.isdisjoint(_family(name))}
    return Page(samples, frozenset(families))


def total(page: Page, wanted: Selector) -> float | None:
    """The sum over all series that are meant; None when that is not known.

    A labelled series that nobody counted yet does not exist, while its metric does: that is zero.
    """
    values = [s.value for s in page.samples.get(wanted.name, ()) if wanted.takes(s.labels)]
    if not values:
        return 0.0 if wanted.name in page.families else None
    return math.fsum(values) if all(map(_is_counted, values)) else None


def buckets(page: Page, wanted: Selector) -> Mapping[float, float] | None:
    """Cumulative counts by upper bound, over all series of a histogram that are meant."""
    name = f"{wanted.name}_bucket"
    counts: dict[float, float] = {}
    for sample in page.samples.get(name, ()):
        if "le" in sample.labels and wanted.takes(sample.labels):
            bound = _number(sample.labels["le"])
            if bound is None or not _is_counted(sample.value):
                return None
            counts[bound] = counts.get(bound, 0.0) + sample.value
    return counts if counts or name in page.families else None


def _is_counted(value: float) -> bool:
    return abs(value) <= LARGEST_SAMPLE  # which is false of what is no number


def _sample(line: str) -> tuple[str, Sample] | None:
    name = re.match(_NAME, line)
    if name is None:
        return None
    at, labels = name.end(), {}
    opening = re.compile(r"\s*\{").match(line, at)
    if opening is not None:
        at = opening.end()
        while (label := _LABEL.match(line, at)) is not None:
            labels[label[1]] = _plain(label[2])
            at = label.end()
        closing = re.compile(r"\s*\}").match(line, at)
        if closing is None:
            return None
        at = closing.end()
    value = _number(next(iter(line[at:].split(None, 1)), ""))
    return None if value is None else (name[0], Sample(labels, value))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _plain(value: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPES[found[0]], value) if "\\" in value else value


def _family(name: str) -> Iterator[str]:
    """The names under which a page may announce a series."""
    yield name
    for part in _PARTS:
        if name.endswith(part):
            yield name.removesuffix(part)


def _not_a_selector(text: str) -> Refused:
    return Refused(
        f"{text!r} does not select a metric.",
        cure='Write a name, such as checkout_total, or name{label="value"}.',
    )
