"""`surefoot.toml`: text in, the domain's values out, or an error with its line and its cure."""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from surefoot.config.keys import KEYS, Key
from surefoot.config.values import READERS, Bad
from surefoot.domain.errors import BadManifest
from surefoot.domain.manifest import (
    Check,
    Manifest,
    Metric,
    MetricKind,
    Notify,
    ReleaseRules,
    Rollout,
    Traffic,
)

__all__ = ["guards_joined", "parse_manifest"]

BUILT_IN = {"errors", "latency"}
NEEDS = {
    MetricKind.RATIO: ("total",),
    MetricKind.LATENCY: ("histogram",),
    MetricKind.GAUGE: ("gauge",),
    MetricKind.COUNTER: ("counter",),
}
BY_PLACE = {key.place: key for key in KEYS}
NAMED = ("checks", "metrics")
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,60}")
LARGEST_TEXT = 256_000


def parse_manifest(text: str, *, place: str, folder: str = "") -> Manifest:
    """Read a manifest.

    Args:
        text: the file's text.
        place: how to name the file in errors.
        folder: where it stands, relative to the repository's root.

    Raises:
        BadManifest: with `place:line`, what is wrong, and the cure.
    """
    reader = _Reader(text, place)
    values = reader.values()
    release = {name.removeprefix("release."): value for name, value in _under(values, "release")}
    rollout = {name.removeprefix("rollout."): value for name, value in _under(values, "rollout")}
    if "service.listen" not in values:
        raise reader.error(
            "service",
            "has no 'listen', and what takes no requests cannot be split by traffic",
            'Add listen = "127.0.0.1:8080". Workers and cron jobs are not for this version.',
        )
    for needed in ("service.name", "release.run"):
        if needed not in values:
            table = needed.partition(".")[0]
            raise reader.error(table, f"has no '{needed}'", f"Add it: {BY_PLACE[needed].meaning}.")
    return Manifest(
        name=values["service.name"],
        listen=values["service.listen"],
        upstream=values.get("service.upstream"),
        release=ReleaseRules(**_seconds(release, ("ready", "stop_timeout"))),
        folder=folder,
        checks=tuple(reader.checks(values)),
        metrics=tuple(reader.metrics(values)),
        rollout=Rollout(**_seconds(rollout, _DURATIONS)),
        traffic=Traffic(values.get("traffic.sticky", "off"), values.get("traffic.timeout")),
        risk_data=values.get("risk.data", ()),
        members=values.get("team.members", ()),
        **({"review": values["team.review"]} if "team.review" in values else {}),
        notify=Notify(values.get("notify.run", ())),
    )


_DURATIONS = ("warm_up", "time_limit", "answer_within", "soak", "blind_limit", "undo_drain")


def _under(values: Mapping[str, Any], table: str) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in values.items() if name.startswith(f"{table}.")]


def _seconds(values: dict[str, Any], durations: Sequence[str]) -> dict[str, Any]:
    """Durations are named with their unit from here on."""
    return {f"{key}_s" if key in durations else key: value for key, value in values.items()}


class _Reader:
    """One text, its lines, and the values that its keys have."""

    def __init__(self, text: str, place: str) -> None:
        self.lines = text.splitlines()
        self.place = place
        if len(text) > LARGEST_TEXT:
            raise BadManifest(f"{place} has over {LARGEST_TEXT} characters.", cure="Shorten it.")
        try:
            self.document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"line (\d+)", str(error))
            number = line.group(1) if line else len(self.lines)
            raise BadManifest(
                f"{place}:{number}: this is not TOML: {error}.",
                cure="Mend the line; strings stand in quotes, lists in brackets.",
            ) from None

    def error(self, name: str, what: str, cure: str) -> BadManifest:
        """What is wrong with a key, and where it stands."""
        return BadManifest(f"{self.place}:{self.line(name)}: {name} {what}.", cure=cure)

    def line(self, name: str) -> int:
        """The line of a key or of the nearest table above it; 1 when there is none."""
        parts = name.split(".")
        header = 0
        for depth in range(len(parts), 0, -1):
            dotted = r"\s*\.\s*".join(_quoted(part) for part in parts[:depth])
            pattern = re.compile(rf"\s*\[\s*{dotted}\s*\]")
            header = next((n for n, line in enumerate(self.lines, 1) if pattern.match(line)), 0)
            if header:
                break
        if header and depth == len(parts):
            return header
        own = re.compile(rf"\s*{_quoted(parts[-1])}\s*[=.]")
        for number, line in enumerate(self.lines[header:], header + 1):
            if own.match(line):
                return number
            if header and line.lstrip().startswith("["):
                break
        return header or 1

    def values(self) -> dict[str, Any]:
        """Every key that is there, read by its kind."""
        found = {}
        for name, value in self._leaves():
            key = self._known(name)
            try:
                found[name] = READERS[key.kind](value)
            except Bad as bad:
                raise self.error(name, bad.what, bad.cure) from None
        return found

    def _leaves(self) -> Iterator[tuple[str, Any]]:
        for table, content in self.document.items():
            if not isinstance(content, dict):
                raise self.error(table, "stands outside of any table", "Put it under [service].")
            for key, value in content.items():
                if table in NAMED:
                    yield from self._named(table, key, value)
                else:
                    yield f"{table}.{key}", value

    def _named(self, table: str, name: str, content: object) -> Iterator[tuple[str, Any]]:
        if not isinstance(content, dict):
            raise self.error(f"{table}.{name}", "is no table", f"Write [{table}.{name}].")
        if not NAME.fullmatch(name):
            cure = "Use letters, digits, _ and -, beginning with a letter."
            raise self.error(f"{table}.{name}", "cannot be a name", cure)
        for key, value in content.items():
            yield f"{table}.{name}.{key}", value

    def _known(self, name: str) -> Key:
        parts = name.split(".")
        general = ".".join([parts[0], "NAME", *parts[2:]] if parts[0] in NAMED else parts)
        if general in BY_PLACE:
            return BY_PLACE[general]
        near = difflib.get_close_matches(general, BY_PLACE, 1, 0.5)
        cure = f"Did you mean '{near[0]}'?" if near else "docs/manifest.md has every key."
        raise self.error(name, "is not a key that Surefoot knows", cure)

    def checks(self, values: Mapping[str, Any]) -> Iterator[Check]:
        """The declared checks, in the order of the file."""
        for name in self.document.get("checks", {}):
            fields = self._fields(values, f"checks.{name}")
            if "run" not in fields:
                cure = 'Add run = ["the", "command"].'
                raise self.error(f"checks.{name}", "has no 'run'", cure)
            yield Check(name, **_seconds(fields, ("time_limit",)))

    def metrics(self, values: Mapping[str, Any]) -> Iterator[Metric]:
        """The declared metrics, in the order of the file."""
        for name in self.document.get("metrics", {}):
            fields = self._fields(values, f"metrics.{name}")
            metric = Metric(name, **fields)
            self._check_metric(metric, f"metrics.{name}")
            yield metric

    def _fields(self, values: Mapping[str, Any], place: str) -> dict[str, Any]:
        prefix = f"{place}."
        return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}

    def _check_metric(self, metric: Metric, place: str) -> None:
        if metric.name in BUILT_IN:
            if metric.kind is not None or metric.total or metric.histogram:
                cure = "Give it margins only, or choose another name for your own metric."
                raise self.error(place, "is what the proxy sees: it has no kind", cure)
            return
        if metric.kind is None:
            cure = 'Add kind = "ratio", "latency", "gauge" or "counter".'
            raise self.error(place, "has no 'kind'", cure)
        for needed in NEEDS[metric.kind]:
            if getattr(metric, needed) is None:
                cure = f"Add {needed} = 'name{{label=\"value\"}}'."
                raise self.error(place, f"is a {metric.kind} and has no '{needed}'", cure)
        if metric.kind is MetricKind.RATIO and (metric.bad is None) == (metric.good is None):
            cure = "Give the selector of what is bad, or of what is good."
            raise self.error(place, "needs either 'bad' or 'good'", cure)


def _quoted(name: str) -> str:
    return rf"[\"']?{re.escape(name)}[\"']?"


def guards_joined(live: Manifest, proposed: Manifest) -> tuple[Metric, ...]:
    """The live guards as they are, and what the proposed manifest adds.

    Loosening or removing one needs a change of the manifest alone.
    """
    known = {metric.name for metric in live.metrics}
    return (*live.metrics, *(one for one in proposed.metrics if one.name not in known))
