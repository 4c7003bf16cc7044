"""What is asked of a Prometheus: series selectors, put together from what was typed.

Only selectors pass, no other PromQL: a name, and matchers of labels. Grammar: Prometheus'
"Querying basics", time series selectors.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from surefoot.analysis.ticks import Arm
from surefoot.domain.errors import BadEvidence

__all__ = ["Question", "Role", "Selector", "question"]

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_STRING = r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`"""
_MATCHER = rf"\s*[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*(?:{_STRING})\s*"
_MATCHERS = re.compile(rf"(?:{_MATCHER}(?:,{_MATCHER})*,?\s*)?")
_SERIES = re.compile(rf"\s*({_NAME})\s*(?:\{{({_MATCHERS.pattern})\}}\s*)?")

Role = str  # "bad", "all" or "buckets"


@dataclass(frozen=True, slots=True)
class Selector:
    """A series name and its matchers, as they were typed."""

    name: str
    matchers: str = ""

    @property
    def labels(self) -> frozenset[str]:
        """The labels that are matched."""
        plain = re.sub(_STRING, "", self.matchers)
        return frozenset(re.findall(r"[a-zA-Z_][a-zA-Z0-9_]*", plain))

    def __str__(self) -> str:
        """As it was typed."""
        return f"{self.name}{{{self.matchers}}}" if self.matchers else self.name

    def within(self, arm: str) -> str:
        """The selector, narrowed by an arm's matchers."""
        both = ", ".join(part for part in (self.matchers, arm) if part)
        return f"{self.name}{{{both}}}"


@dataclass(frozen=True, slots=True)
class Question:
    """The selectors of both arms, the errors (bad and all) and the histogram of a latency."""

    arms: Mapping[Arm, str]
    bad: Selector | None = None
    all: Selector | None = None
    latency: Selector | None = None

    def asked(self, arm: Arm) -> Mapping[Role, str]:
        """What to ask for an arm, by the role of what comes back.

        "all" comes before "bad": a scrape becomes visible at once, so that whatever the first
        answer has, the second has as well. A histogram is asked for with and without its suffix,
        for a native one has no buckets' series.
        """
        asked: dict[Role, str] = {}
        within = self.arms[arm]
        if self.all is not None and self.bad is not None:
            asked |= {"all": self.all.within(within), "bad": self.bad.within(within)}
        if self.latency is not None:
            name = self.latency.name
            matchers = f'__name__=~"{name}|{name}_bucket"'
            both = ", ".join(part for part in (self.latency.matchers, within) if part)
            asked["buckets"] = f"{{{matchers}, {both}}}"
        return asked


def question(
    canary: str, baseline: str, errors: str | None = None, latency: str | None = None
) -> Question:
    """Read what was typed.

    Args:
        canary: matchers, such as `release="b"`, in braces or without.
        baseline: the same, of the other arm.
        errors: `BAD` or `BAD/TOTAL`, both selectors. Without TOTAL it is the same name without
            BAD's matchers.
        latency: the name of a classic histogram, with matchers or without.

    Raises:
        BadEvidence: something is no selector, nothing is asked, or both arms are the same.
    """
    arms = {Arm.CANARY: _arm("canary", canary), Arm.BASELINE: _arm("baseline", baseline)}
    if arms[Arm.CANARY] == arms[Arm.BASELINE]:
        raise BadEvidence(
            "--canary and --baseline select the same.",
            cure="Give each the label that tells its release, such as 'release=\"b\"'.",
        )
    if not (errors or latency):
        raise BadEvidence(
            "Neither --errors nor --latency is given.",
            cure="Name at least one, such as --errors 'http_requests_total{code=~\"5..\"}'.",
        )
    bad, everything = _errors(errors) if errors else (None, None)
    histogram = _selector("--latency", latency) if latency else None
    if histogram is not None:
        histogram = Selector(histogram.name.removesuffix("_bucket"), histogram.matchers)
    return Question(arms, bad, everything, histogram)


def _arm(name: str, typed: str) -> str:
    inner = typed.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1].strip()
    if not inner or _MATCHERS.fullmatch(inner) is None:
        raise BadEvidence(
            f"--{name} {typed!r} does not match labels.",
            cure='Write matchers as Prometheus takes them, such as \'release="b", job="shop"\'.',
        )
    return inner.rstrip(", ")


def _errors(typed: str) -> tuple[Selector, Selector]:
    parts = _split(typed)
    bad = _selector("--errors", parts[0])
    if len(parts) > 1:
        return bad, _selector("--errors", "/".join(parts[1:]))
    if not bad.matchers:
        raise BadEvidence(
            f"--errors {typed!r} says which requests are bad, and not of how many.",
            cure="Write BAD/TOTAL, such as 'errors_total/requests_total'.",
        )
    return bad, Selector(bad.name)


def _split(typed: str) -> list[str]:
    """The parts between slashes that stand outside of quotes."""
    parts = [""]
    for piece in re.findall(rf"{_STRING}|.", typed, re.DOTALL):
        if piece == "/":
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _selector(option: str, typed: str) -> Selector:
    found = _SERIES.fullmatch(typed)
    if found is None:
        raise BadEvidence(
            f"{option} {typed!r} does not select series.",
            cure='Write a name, or name{label="value"}: no function, for raw samples are read.',
        )
    return Selector(found[1], (found[2] or "").strip().rstrip(", "))
