"""Going through a span of time, page after page, and saying what is not there."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from surefoot.adapters.prometheus.client import Client, Series
from surefoot.adapters.prometheus.scrapes import Scrapes, Seen
from surefoot.adapters.prometheus.selectors import Question, Role
from surefoot.analysis.ticks import Arm, RatioTick, Row
from surefoot.domain.errors import BadEvidence

__all__ = ["Reader"]

_PAGE_S = 600.0  # what one answer may cover, so that none is large
_UNSETTLED_S = 2.0  # what was scraped just now may not all be stored yet

Answers = Mapping[tuple[Arm, Role], Sequence[Series]]


class Reader:
    """Rows of evidence from a Prometheus; each call goes on where the one before ended."""

    def __init__(
        self, url: str, headers: Mapping[str, str], question: Question, start: float
    ) -> None:
        """Begin at `start`, epoch seconds; nothing is asked yet."""
        self._url, self._headers, self._question = url, headers, question
        self._scrapes = Scrapes()
        self._at = start
        self._found: dict[tuple[Arm, Role], bool] = {}
        self._labels: set[str] = set()
        self._native = False

    @property
    def interval(self) -> float | None:
        """The scrape interval in seconds, once it is known."""
        return self._scrapes.interval

    @property
    def seen(self) -> Seen:
        """What was noticed so far."""
        return self._scrapes.seen

    def rows(self, end: float, now: float) -> Iterator[Row]:
        """The rows of all ticks up to `end`, as far as they are settled at `now`.

        Raises:
            OutsideFailed: Prometheus does not answer.
            BadEvidence: what it has cannot be judged.
        """
        end = min(end, now - _UNSETTLED_S)
        while self._at < end:
            page = min(self._at + _PAGE_S, end)
            answers = asyncio.run(self._asked(self._at, page))
            self._look_at(answers)
            self._scrapes.take(answers)
            self._at = page
            errors_are_known = self._errors_are_known()
            for row in self._scrapes.rows(page):
                if not isinstance(row, RatioTick) or errors_are_known:
                    yield row

    async def _asked(self, start: float, end: float) -> Answers:
        answers = {}
        async with Client.open(self._url, self._headers) as client:
            for arm in Arm:
                for role, selector in self._question.asked(arm).items():
                    answers[arm, role] = await client.samples(selector, start, end)
        return answers

    def _look_at(self, answers: Answers) -> None:
        for key, found in answers.items():
            self._found[key] = self._found.get(key, False) or _has(key[1], found)
            if key[1] == "all":
                self._labels.update(*(series.metric for series in found))
            self._native = self._native or any(series.histograms for series in found)
        if self._native and not any(self._found.get((arm, "buckets")) for arm in Arm):
            raise BadEvidence(
                "The latency is a native histogram, whose buckets change by themselves.",
                cure="Have its classic buckets scraped as well (`scrape_classic_histograms`).",
            )

    def _errors_are_known(self) -> bool:
        """Whether "no such series" can be told from "no errors"."""
        bad, everything = self._question.bad, self._question.all
        if bad is None or everything is None:
            return False
        if any(self._found.get((arm, "bad")) for arm in Arm):
            return True
        return bad.name == everything.name and bad.labels <= self._labels

    def refuse_nothing(self) -> None:
        """Say what was looked for and is not there.

        Raises:
            BadEvidence: a selector has no series, or there are too few scrapes.
        """
        for arm in Arm:
            asked = self._question.asked(arm)
            for role in ("all", "buckets"):
                if role in asked and not self._found.get((arm, role)):
                    raise BadEvidence(
                        f"Prometheus has nothing of the {arm} for {asked[role]} in this time.",
                        cure="Try that selector in its own page; --for 1h looks further back.",
                    )
        bad = self._question.bad
        if bad is not None and not self._errors_are_known():
            raise BadEvidence(
                f"No series is selected by {bad}, so no errors cannot be told from no data.",
                cure="Look whether its labels are right, and have the service count from zero.",
            )
        if self.interval is None or not self.seen.ticks:
            raise BadEvidence(
                "Both arms were not scraped twice in this time.",
                cure="Look at a longer time in which both served: --for 1h, or --start and --end.",
            )

    @property
    def silent_errors(self) -> bool:
        """Whether errors were asked for and no series of either arm is one."""
        return self._question.bad is not None and not any(
            self._found.get((arm, "bad")) for arm in Arm
        )


def _has(role: Role, found: Sequence[Series]) -> bool:
    if role == "buckets":
        return any(series.values and "le" in series.metric for series in found)
    return any(series.values for series in found)
