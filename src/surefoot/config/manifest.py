"""`surefoot.toml`: text in, the domain's values out, or an error with its line and its cure."""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from surefoot.config.keys import KEYS, Key
from surefoot.config.lines import Path, lines_of
from surefoot.config.values import READERS, Bad
from surefoot.domain.errors import BadManifest
from surefoot.domain.manifest import (
    Check,
    Manifest,
    Metric,
    MetricKind,
    Notify,
    ReleaseRules,
    Review,
    Rollout,
    Traffic,
)

__all__ = ["parse_manifest"]

BUILT_IN = {"errors", "latency"}
NEEDS = {
    MetricKind.RATIO: ("total",),
    MetricKind.LATENCY: ("histogram",),
    MetricKind.GAUGE: ("gauge",),
    MetricKind.COUNTER: ("counter",),
}
BY_PLACE = {key.place: key for key in KEYS}
NAMED = ("checks", "metrics")
TABLES = tuple(dict.fromkeys(key.place.partition(".")[0] for key in KEYS))
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,60}")
SELECTORS = ("bad", "good", "total", "histogram", "gauge", "counter")
TAKES = {
    MetricKind.RATIO: ("bad", "good", "total"),
    MetricKind.LATENCY: ("histogram",),
    MetricKind.GAUGE: ("gauge",),
    MetricKind.COUNTER: ("counter",),
}
DURATIONS = ("warm_up", "time_limit", "answer_within", "soak", "blind_limit", "undo_drain")
LARGEST_TEXT = 64_000
ALIKE = 0.6  # difflib's own default for "close"


def parse_manifest(text: str, *, place: str, folder: str = "") -> Manifest:
    """Read a manifest.

    Args:
        text: the file's text.
        place: how to name the file in errors.
        folder: where it stands, relative to the repository's root.

    Raises:
        BadManifest: with `place:line`, what is wrong, and the cure.
    """
    _inside(folder, place)
    reader = _Reader(text, place)
    values = reader.values()
    reader.demand(values)
    release = _seconds(_under(values, "release"), ("ready", "stop_timeout"))
    return Manifest(
        name=values["service", "name"],
        listen=values["service", "listen"],
        upstream=values.get(("service", "upstream")),
        release=ReleaseRules(**release),
        folder=folder,
        checks=tuple(reader.checks(values)),
        metrics=tuple(reader.metrics(values)),
        rollout=Rollout(**_seconds(_under(values, "rollout"), DURATIONS)),
        traffic=Traffic(**_seconds(_under(values, "traffic"), ("timeout",))),
        risk_data=values.get(("risk", "data"), ()),
        members=values.get(("team", "members"), ()),
        review=values.get(("team", "review"), Review.BEFORE),
        notify=Notify(**_under(values, "notify")),
    )


def _inside(folder: str, place: str) -> None:
    """Releases run in this folder of their checkout, and nowhere else."""
    path = PurePosixPath(folder)
    if path.is_absolute() or ".." in path.parts or not folder.isprintable():
        raise BadManifest(
            f"{place}:1: {folder!r} is not a folder inside the repository.",
            cure="Name it from the repository's root, as in services/shop.",
        )


def _under(values: Mapping[Path, Any], *table: str) -> dict[str, Any]:
    """The keys of one table, by their last name."""
    return {path[-1]: value for path, value in values.items() if path[:-1] == table}


def _nearest(written: str, names: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(written, names, 1, ALIKE)), None)


def _seconds(values: dict[str, Any], durations: Sequence[str]) -> dict[str, Any]:
    """Durations are named with their unit from here on."""
    return {f"{key}_s" if key in durations else key: value for key, value in values.items()}


class _Reader:
    """One text, its lines, and the values that its keys have."""

    def __init__(self, text: str, place: str) -> None:
        self.text = text
        self.place = place
        if len(text) > LARGEST_TEXT:
            raise BadManifest(
                f"{place}:1: the file has over {LARGEST_TEXT} characters.", cure="Shorten it."
            )
        self.document = self._parsed()

    def _parsed(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            line = int(found.group(1)) if found else self.text.count("\n") + 1
            what = re.sub(r" \(at [^)]*\)$", "", str(error))
            cure = "Mend the line; strings stand in quotes, lists in brackets."
        except (RecursionError, ValueError) as error:
            # The parser's own limits: lists in lists without end, numbers of thousands of digits.
            line, what, cure = 1, str(error), "Write shorter numbers and flatter lists."
        raise BadManifest(f"{self.place}:{line}: this is not TOML: {what}.", cure=cure)

    @cached_property
    def lines(self) -> Mapping[Path, int]:
        """Where each key stands; looked up for errors alone."""
        try:
            return lines_of(self.text)
        except RecursionError:  # it nests as deep as could just be parsed from further up
            return {}

    def error(self, path: Path, what: str, cure: str) -> BadManifest:
        """What is wrong with a key, and where it, or the nearest table above it, stands."""
        line = next(
            (self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1
        )
        return BadManifest(f"{self.place}:{line}: {'.'.join(path)} {what}.", cure=cure)

    def demand(self, values: Mapping[Path, Any]) -> None:
        """What every manifest must have, and what cannot stand together."""
        if ("service", "listen") not in values:
            raise self.error(
                ("service",),
                "has no 'listen', and what takes no requests cannot be split by traffic",
                'Add listen = "127.0.0.1:8080". Workers and cron jobs are not for this version.',
            )
        for table, key in (("service", "name"), ("release", "run")):
            if (table, key) not in values:
                meaning = BY_PLACE[f"{table}.{key}"].meaning
                raise self.error((table,), f"has no '{key}'", f"Add it below [{table}]: {meaning}.")
        upstream = ("service", "upstream")
        if values.get(upstream) == values["service", "listen"]:
            cure = "Users come in at 'listen'; move your process to another port and name that."
            raise self.error(upstream, "is the same as 'listen'", cure)

    def values(self) -> dict[Path, Any]:
        """Every key that is there, read by its kind."""
        found = {}
        for path, value in self._leaves():
            key = self._known(path)
            try:
                found[path] = READERS[key.kind](value)
            except Bad as bad:
                raise self.error(path, bad.what, bad.cure) from None
        return found

    def _leaves(self) -> Iterator[tuple[Path, Any]]:
        for table, content in self.document.items():
            if table not in TABLES:
                raise self._unknown((table,), _nearest(table, TABLES))
            if not isinstance(content, dict):
                written = f"[{table}.NAME]" if table in NAMED else f"[{table}]"
                raise self.error((table,), "is no table", f"Write {written} on a line of its own.")
            for key, value in content.items():
                if table in NAMED:
                    yield from self._named(table, key, value)
                else:
                    yield (table, key), value

    def _named(self, table: str, name: str, content: object) -> Iterator[tuple[Path, Any]]:
        if not isinstance(content, dict):
            cure = f"Write [{table}.NAME] on a line of its own, and its keys below."
            raise self.error((table, name), "is no table", cure)
        if not NAME.fullmatch(name):
            cure = "Use up to 61 letters, digits, _ and -, beginning with a letter or _."
            raise self.error((table, name), "cannot be a name", cure)
        for key, value in content.items():
            yield (table, name, key), value

    def _known(self, path: Path) -> Key:
        above = f"{path[0]}.NAME" if path[0] in NAMED else path[0]
        general = f"{above}.{path[-1]}"
        if general in BY_PLACE:
            return BY_PLACE[general]
        elsewhere = [place for place in BY_PLACE if place.endswith(f".{path[-1]}")]
        beside = [
            place.removeprefix(f"{above}.") for place in BY_PLACE if place.startswith(f"{above}.")
        ]
        if elsewhere:
            raise self._unknown(path, elsewhere[0])
        near = _nearest(path[-1], beside)
        raise self._unknown(path, f"{above}.{near}" if near else None)

    def _unknown(self, path: Path, meant: str | None) -> BadManifest:
        cure = f"Did you mean '{meant}'?" if meant else "docs/manifest.md has every key."
        return self.error(path, "is not a key that Surefoot knows", cure)

    def checks(self, values: Mapping[Path, Any]) -> Iterator[Check]:
        """The declared checks, in the order of the file."""
        reports: dict[str, str] = {}
        for name in self.document.get("checks", {}):
            fields = _under(values, "checks", name)
            if "run" not in fields:
                cure = 'Add run = ["the", "command"].'
                raise self.error(("checks", name), "has no 'run'", cure)
            check = Check(name, **_seconds(fields, ("time_limit",)))
            if check.coverage and reports.setdefault(check.coverage, name) != name:
                what = f"is the report of checks.{reports[check.coverage]} already"
                cure = "Let each check write a file of its own: they are read after the last one."
                raise self.error(("checks", name, "coverage"), what, cure)
            yield check

    def metrics(self, values: Mapping[Path, Any]) -> Iterator[Metric]:
        """The declared metrics, in the order of the file."""
        for name in self.document.get("metrics", {}):
            path = ("metrics", name)
            fields = _under(values, *path)
            self._check_margins(fields, path)
            if name in BUILT_IN:
                self._check_built_in(fields, path)
            else:
                self._check_own(fields, path)
                if ("release", "metrics") not in values:
                    cure = 'Add metrics = "/metrics", the path of your metrics page, to [release].'
                    raise self.error(path, "has no page to be read from", cure)
            # What is good is worse when it falls.
            direction = {"worse": "lower"} if "good" in fields else {}
            yield Metric(name, **(direction | fields))

    def _check_built_in(self, fields: Mapping[str, Any], path: Path) -> None:
        for key in ("kind", "worse", *SELECTORS):
            if key in fields:
                cure = "Give it margins only, or choose another name for your own metric."
                raise self.error((*path, key), "is known already: the proxy sees it", cure)

    def _check_own(self, fields: Mapping[str, Any], path: Path) -> None:
        kind = fields.get("kind")
        if kind is None:
            cure = 'Add kind = "ratio", "latency", "gauge" or "counter".'
            raise self.error(path, "has no 'kind'", cure)
        for key in SELECTORS:
            if key in fields and key not in TAKES[kind]:
                listed = ", ".join(f"'{one}'" for one in TAKES[kind])
                raise self.error((*path, key), f"is not for a {kind}", f"A {kind} takes {listed}.")
        needed = TAKES[kind][-1]
        if needed not in fields:
            cure = f"Add {needed} = 'name{{label=\"value\"}}'."
            raise self.error(path, f"is a {kind} and has no '{needed}'", cure)
        if kind is MetricKind.RATIO:
            self._check_ratio(fields, path)
        if kind is MetricKind.LATENCY and fields["histogram"].partition("{")[0].endswith("_bucket"):
            cure = "Name the histogram itself, without _bucket."
            raise self.error((*path, "histogram"), "is one series of a histogram", cure)

    def _check_ratio(self, fields: Mapping[str, Any], path: Path) -> None:
        if ("bad" in fields) == ("good" in fields):
            cure = "Give the selector of what is bad, or of what is good."
            raise self.error(path, "needs either 'bad' or 'good'", cure)
        said = fields.get("worse")
        if said not in {None, "lower" if "good" in fields else "higher"}:
            cure = "Leave it out: more of what is bad is worse, and less of what is good."
            raise self.error((*path, "worse"), f'is "{said}", the wrong way round', cure)

    def _check_margins(self, fields: Mapping[str, Any], path: Path) -> None:
        margins = [fields.get("margin_ratio"), fields.get("margin_points")]
        if margins != [None, None] and (margins[0] or 1.0) == 1.0 and not margins[1]:
            cure = "Allow some points, or a ratio over 1; or leave both out for the tightest."
            raise self.error(path, "has no margin at all, which no evidence can prove", cure)
