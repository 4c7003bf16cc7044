"""One live block on a terminal: what a change does now. The only module that knows Rich."""

from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from surefoot.cli import words
from surefoot.cli.views import ChangeView, VerdictView
from surefoot.domain.text import clean
from surefoot.drawing.figures import percent, span

__all__ = ["LiveBlock"]

_REDRAWS_PER_S = 4
_COLOURS = {
    "rolling_out": "cyan",
    "verifying": "yellow",
    "verified": "green",
    "restoring": "red",
    "restored": "red",
    "not_restored": "bold red",
}


class LiveBlock:
    """A block that is drawn anew in its place, and stays as it was last when it is left."""

    def __init__(self) -> None:
        self._live = Live(
            console=Console(highlight=False), refresh_per_second=_REDRAWS_PER_S, transient=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state on the screen."""
        self._live.stop()

    def show(self, change: ChangeView) -> None:
        """Draw the change as it stands now."""
        self._live.update(block(change))


def block(change: ChangeView) -> Group:
    """What is drawn for a change."""
    rows: list[Text | Table] = [Text(clean(words.heading(change)), style="bold")]
    if change.parts:
        rows.append(Text(clean(f"  {words.parts_line(change)}"), style="dim"))
    if change.share > 0:
        share = f"  new {words.bar(change.share)} {percent(change.share)} of requests"
        rows.append(Text(share))
    if change.verdict:
        rows.append(_evidence(change.verdict))
    sentence = clean(f"  {change.sentence}")
    rows.append(Text(sentence, style=_COLOURS.get(change.phase, "")))
    if not change.final:
        back = words.way_back(change.undo, f"surefoot undo {change.number}")
        rows.append(Text(clean(back), style="dim"))
    return Group(*rows)


def _evidence(verdict: VerdictView) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), show_header=False)
    for metric in verdict.metrics:
        table.add_row(Text(clean(f"  {words.metric_line(metric)}")))
    for promise in verdict.promises:
        table.add_row(Text(clean(f"  {promise.says}")))
    said = f"  evidence against it {verdict.evidence:.1f} of 100 after {span(verdict.at_s)}"
    table.add_row(Text(said, style="dim"))
    return table
