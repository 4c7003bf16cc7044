"""The results as one page of Markdown: first where others win, then the tables."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, isnan
from statistics import median

from rivals.cells import Cell, Kind
from rivals.contest import BARE, OURS, PATIENT, Score, Tally

NOMINAL = 0.01
SOONER = 0.9  # of our mean: less is no difference that so few runs could show
LONG_ENOUGH = 5.0  # seconds; under it the tick of a second hides the ratio to the bound
RARELY_MISSED = 0.03
NONE = Tally(0, 0)


@dataclass(frozen=True, slots=True)
class Results:
    """Every cell and what became of each rule in it; `skipped` were beyond any test's reach."""

    cells: Sequence[tuple[Cell, dict[str, Score]]]
    skipped: Sequence[Cell]

    @property
    def rules(self) -> list[str]:
        """The rules, in the order in which they are shown."""
        return [name for name in self.cells[0][1] if name != PATIENT]

    def of(self, *kinds: Kind) -> list[tuple[Cell, dict[str, Score]]]:
        """The cells of some kinds."""
        return [(cell, scores) for cell, scores in self.cells if cell.kind in kinds]

    def pooled(self, rule: str, kind: Kind, tally: Callable[[Score], Tally]) -> Tally:
        """One tally over all cells of a kind."""
        return sum((tally(scores[rule]) for _, scores in self.of(kind)), NONE)


def percent(tally: Tally) -> str:
    """A share with its 95 % interval."""
    low, high = tally.interval
    return f"{_part(tally.part)} ({_part(low)} to {_part(high)})"


def _part(part: float) -> str:
    return f"{100 * part:.1f} %" if part < 0.1 else f"{100 * part:.0f} %"


def times(score: Score, bound: float) -> str:
    """Mean and p90 of the delay, as multiples of the bound (seconds if that is a few)."""
    if isnan(score.mean):
        return "never"
    unit, mark = (bound, "") if bound >= LONG_ENOUGH else (1.0, " s")

    def told(seconds: float) -> str:
        value = seconds / unit
        return "-" if seconds == inf else f"{value:.1f}" if value < 10 else f"{value:.0f}"

    missed = score.missed.part
    text = f"{told(score.mean)} / {told(score.p90)}{mark}"
    return f"{text}, {100 * missed:.0f} % missed" if missed else text


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def over_bound(results: Results, rule: str, figure: Callable[[Score], float]) -> float:
    """The median over cells of a delay over the bound, where it means something; inf if nowhere."""
    ratios = [
        figure(scores[rule]) / cell.bound
        for cell, scores in results.of("harm")
        if cell.bound > LONG_ENOUGH and scores[rule].missed.part < RARELY_MISSED
    ]
    return median(ratios) if ratios else inf


def summary(results: Results) -> str:
    """One row for each rule."""
    named = [cell.name for cell, _ in results.of("stress")]
    head = [
        *("rule", "mean / p90 over the bound", "harm missed", "called good though harmful"),
        *("false restores in 4 h", "in its own run", *named),
    ]
    rows = []
    for rule in results.rules:
        good = results.pooled(rule, "harm", lambda s: s.good)
        praised = results.pooled(rule, "null", lambda s: s.good)
        ratios = [over_bound(results, rule, figure) for figure in (lambda s: s.mean, _p90)]
        rows.append(
            [
                rule,
                " / ".join("-" if ratio == inf else f"{ratio:.2f}" for ratio in ratios),
                _part(results.pooled(rule, "harm", lambda s: s.missed).part),
                percent(good) if good.count or praised.count else "has no such word",
                percent(results.pooled(rule, "null", lambda s: s.bad())),
                percent(results.pooled(rule, "null", lambda s: s.bad_before_good)),
                *(_part(scores[rule].bad().part) for _, scores in results.of("stress")),
            ]
        )
    return table(head, rows)


def _p90(score: Score) -> float:
    return score.p90


def detection(results: Results) -> str:
    """Cell by cell, the delay over the bound."""
    rows = [
        [cell.name, f"{cell.bound:.3g} s", *(times(scores[r], cell.bound) for r in results.rules)]
        for cell, scores in results.of("harm")
    ]
    return table(["harm", "bound", *results.rules], rows)


def harmless(results: Results) -> str:
    """Cell by cell, false restores."""
    rows = [
        [cell.name, *(_part(scores[rule].bad().part) for rule in results.rules)]
        for cell, scores in results.of("null")
    ]
    return table(["no harm", *results.rules], rows)


def called_good(results: Results) -> str:
    """Cell by cell, how often a harmful change got the word of success."""
    rows = [
        [cell.name, *(_part(scores[rule].good.part) for rule in results.rules)]
        for cell, scores in results.of("harm")
    ]
    return table(["harm", *results.rules], rows)


def stressed(results: Results) -> str:
    """Stress by stress, false restores with their intervals; rules as rows, ours twice."""
    named = [cell.name for cell, _ in results.of("stress")]
    rules = [*results.rules, PATIENT]
    rows = [
        [rule, *(percent(scores[rule].bad()) for _, scores in results.of("stress"))]
        for rule in rules
    ]
    return table(["rule", *named], rows)


def late(results: Results) -> str:
    """Harm that comes later: seconds from harm to restore, and false restores before it."""
    rows = []
    for rule in results.rules:
        row = [rule]
        for _, scores in results.of("late"):
            early, told = scores[rule].early, times(scores[rule], 1.0)
            row.append(f"{told}; {_part(early.part)} before" if early.count else told)
        rows.append(row)
    return table(["rule", *(cell.name for cell, _ in results.of("late"))], rows)


def in_words(results: Results) -> str:
    """Where another rule does better than ours, and at what price."""
    lines = [_own(results)]
    lines += [_sooner(results, rule) for rule in results.rules if rule != OURS]
    lines += [_less_fooled(results, rule) for rule in results.rules if rule != OURS]
    lines += [_calmer(cell, scores) for cell, scores in results.of("null", "stress")]
    return "\n".join(f"* {line}" for line in lines if line)


def _own(results: Results) -> str:
    mean, bare = (over_bound(results, rule, lambda s: s.mean) for rule in (OURS, BARE))
    return (
        f"**Surefoot** itself needs {mean:.1f} times the bound, its bare test {bare:.1f}. The "
        "difference buys what the bare test and most rules below lack: room for other metrics, for "
        "late harm, for a dead band of a tenth and for traffic that scatters."
    )


def _sooner(results: Results, rule: str) -> str:
    calm = {cell.world: scores[rule].bad() for cell, scores in results.of("null")}
    wins, sound = [], []
    for cell, scores in results.of("harm"):
        theirs, own = scores[rule], scores[OURS]
        if theirs.missed.count <= own.missed.count and theirs.mean < SOONER * own.mean:
            wins.append(cell.name)
            if calm[cell.healthy].interval[0] <= NOMINAL:
                sound.append(cell.name)
    if not wins:
        return ""
    false = results.pooled(rule, "null", lambda s: s.bad())
    text = (
        f"**{rule}** sees harm sooner, and misses no more, in {len(wins)} of "
        f"{len(results.of('harm'))} cells; without harm it restores {percent(false)} within four "
        "hours, over all cells."
    )
    if not sound:
        return f"{text} In each of those cells it restores healthy releases beyond doubt too often."
    text += f" In {len(sound)} of them its false restores there are not provably above 1 %"
    return f"{text}: {'; '.join(sound)}." if len(sound) <= SHORT_LIST else f"{text}."


SHORT_LIST = 12


def _less_fooled(results: Results, rule: str) -> str:
    own = results.pooled(OURS, "harm", lambda s: s.good)
    theirs = results.pooled(rule, "harm", lambda s: s.good)
    if not theirs.count or theirs.part >= own.part:
        return ""
    return (
        f"**{rule}** calls fewer harmful changes good: {percent(theirs)} "
        f"against our {percent(own)}."
    )


def _calmer(cell: Cell, scores: dict[str, Score]) -> str:
    own = scores[OURS].bad()
    if own.interval[0] <= NOMINAL:
        return ""
    better = [
        f"{rule} {_part(score.bad().part)}"
        for rule, score in scores.items()
        if score.bad().part < own.part
    ]
    others = f"fewer: {', '.join(better)}" if better else "no rule fewer"
    return f"**{cell.name}**: Surefoot restores {percent(own)} of healthy releases; {others}."
