"""What a change prints and what it alters, cut to what a page can hold. Values in, values out."""

from collections.abc import Iterator, Sequence

from surefoot.domain.change import Change
from surefoot.domain.lifecycle import UNEXPOSED, Phase
from surefoot.domain.output import LineKind, novel
from surefoot.domain.text import beginning, fit
from surefoot.engine.status import DiffStatus, OutputStatus
from surefoot.ports import Said

__all__ = ["COMPARED", "diff_command", "diff_status", "output_status"]

COMPARED = 2_000  # lines from either end of what an instance wrote
KINDS = 20
SHOWN = 40
LONGEST_SAID = 300
NOT_KEPT = "Surefoot did not start it, or it ended too long ago"
DIFF_LINES, DIFF_BYTES, LONGEST_OF_DIFF = 400, 40_000, 500


def output_status(
    change: Change, beside: int | None, own: Sequence[Said], other: Sequence[Said]
) -> OutputStatus:
    """What a change prints, and what of it the release beside it does not.

    Compared is what the port keeps of both: how each instance began and what it wrote last. So
    what both print when they start is never new, however long ago the other one started. A line
    that the other printed neither at its beginning nor lately is called new.

    Args:
        change: whose release it is.
        beside: the release that it is compared with, if there is one.
        own: what the change's instances wrote.
        other: what those of the release beside it wrote.
    """
    kinds = novel(_all(own), _all(other)) if own and other else ()
    return OutputStatus(
        service=change.service,
        number=change.number,
        beside=beside,
        says=_covered(change, beside, own, other),
        new=tuple(LineKind(fit(one.newest, LONGEST_SAID), one.count) for one in kinds[:KINDS]),
        more=len(kinds[KINDS:]),
        lines=_last(own) if own else None,
        beside_lines=_last(other) if other else None,
    )


def _covered(change: Change, beside: int | None, own: Sequence[Said], other: Sequence[Said]) -> str:
    """What was compared with what, or why nothing was."""
    number = change.number
    if not own:
        return _silent(change)
    if beside is None:
        return f"There is no release beside {number} to compare it with."
    if not other:
        return f"Nothing is compared, for nothing of what {beside} printed is kept: {NOT_KEPT}."
    lines, others = (sum(1 for _ in _all(said)) for said in (own, other))
    if not lines:
        return f"{number} prints nothing; {beside} printed {others:,} lines."
    return (
        f"Compared: {lines:,} lines of {number} and {others:,} of {beside}, from how each instance "
        "began and what it printed last."
    )


def _silent(change: Change) -> str:
    """Why there is nothing that it printed."""
    number = change.number
    if change.carried_by is not None:
        return f"{number} runs within {change.carried_by}, which carries it."
    if change.phase is Phase.APPLIED:
        return f"{number} is a manifest alone: nothing of it runs."
    if change.phase in UNEXPOSED:
        return f"{number} has printed nothing yet."
    return f"Nothing of what {number} printed is kept: {NOT_KEPT}."


def _all(said: Sequence[Said]) -> Iterator[str]:
    """Every line, of each instance the oldest first."""
    for one in said:
        yield from one.first
        yield from one.last


def _last(said: Sequence[Said]) -> tuple[str, ...]:
    """The last lines, shared out among the instances and marked with theirs where it has several.

    Nothing tells how the lines of two instances lie in time.
    """
    share = max(1, SHOWN // len(said))
    return tuple(
        fit(f"[{one.instance}] {line}" if len(said) > 1 else line, LONGEST_SAID)
        for one in said
        for line in one.last[-share:]
    )


def diff_command(change: Change) -> str:
    """What shows all of it, in a clone of the repository."""
    if change.base is None:
        return f"git show {change.revision[:12]}"
    return f"git diff {change.base[:12]}..{change.revision[:12]}"


def diff_status(change: Change, patch: str) -> DiffStatus:
    """The beginning of a change's diff, line by line fit to be shown."""
    lines, left_out = beginning(patch, DIFF_LINES, DIFF_BYTES, LONGEST_OF_DIFF)
    return DiffStatus(
        service=change.service,
        number=change.number,
        base=change.base,
        revision=change.revision,
        says=_altered(change, patch),
        lines=lines,
        left_out=left_out,
        command=diff_command(change),
    )


def _altered(change: Change, patch: str) -> str:
    """What is shown, where a diff between two changes is not what there is to see."""
    if change.placebo:
        return "A placebo is the live release once more: nothing differs."
    if change.base is None:
        return "Nothing was live before it: this is its last commit alone."
    return "" if patch else "It leaves every file as it was."
