"""A file of evidence judged as it grows: what its writer knew, portion by portion."""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass

from surefoot.analysis.course import Course
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan
from surefoot.analysis.record import JudgeResult, parse_line
from surefoot.domain.errors import BadEvidence

__all__ = ["Judged", "Replay"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the evidence of one change says at a moment, and how it came to that."""

    result: JudgeResult
    course: Course


class Replay:
    """Judges lines in the portions in which they were written.

    The first line must be a plan: it then judges exactly as the judge beside which they were
    written. `judge_lines`, which finds in all of the rows what a plan leaves open, needs the whole.
    """

    def __init__(self) -> None:
        """No line was taken yet."""
        self._judge: Judge | None = None
        self._course = Course()
        self._lines = 0

    def take(self, lines: Iterable[str]) -> Judged | None:
        """Judge further lines, which end with a whole tick. None as long as there is no plan.

        Raises:
            BadEvidence: a line cannot be read, comes too late, or the first is no plan. Nothing
                more can be taken then.
        """
        before = self._lines
        for line in lines:
            self._lines += 1
            if line.strip():
                self._take(line)
        judge = self._judge
        if judge is None:
            return None
        if self._lines > before:
            judge.close_tick()
            self._course.end(judge)
        return Judged(JudgeResult(judge.reading, judge.plan, judge.ratios), copy(self._course))

    def _take(self, line: str) -> None:
        row = parse_line(line, self._lines)
        if (self._judge is None) is not isinstance(row, JudgePlan):
            raise BadEvidence(
                f"Line {self._lines}: there must be one plan, and it comes first.",
                cure="`surefoot judge` reads files without a plan.",
            )
        if isinstance(row, JudgePlan):
            self._judge = Judge(row)
        elif self._judge is not None:
            self._judge.feed(row)
            self._course.take(row, self._judge)
