"""`judge`: recorded evidence, judged again by the engine that judges rollouts."""

from pathlib import Path
from typing import IO, Any

import click

from surefoot.analysis.course import Course
from surefoot.analysis.explain import explain
from surefoot.analysis.record import JudgeResult, judge_lines
from surefoot.cli.exits import Exit
from surefoot.cli.figures import span
from surefoot.cli.options import as_json
from surefoot.cli.output import show
from surefoot.cli.picture import picture
from surefoot.cli.recorded import Recorded
from surefoot.domain.errors import Refused
from surefoot.domain.verdict import Word

__all__ = ["judge"]

_EXITS = {
    Word.VERIFIED: Exit.DONE,
    Word.WORSE: Exit.RESTORED,
    Word.WATCHING: Exit.UNDECIDED,
    Word.INCONCLUSIVE: Exit.UNDECIDED,
}


class _Evidence(click.File):
    """A file; or, as evidence is compressed once its change is settled, what became of it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Open it, or the compressed one in its place."""
        if isinstance(value, str) and value != "-" and not Path(value).exists():
            compressed = f"{value}.gz"
            value = compressed if Path(compressed).exists() else value
        return super().convert(value, param, ctx)


@click.command(short_help="Judge recorded evidence again.")
@click.argument("file", metavar="FILE", type=_Evidence("rb"))
@click.option("--explain", "explained", is_flag=True, help="Say why, in sentences.")
@click.option(
    "--plot",
    metavar="SVG",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the evidence, and both arms over time, into this file.",
)
@as_json
def judge(file: IO[bytes], plot: Path | None, *, explained: bool, as_json: bool) -> int:
    """Judge recorded ticks (JSON Lines, or these compressed by gzip; `-`: standard input)."""
    course = Course() if explained or plot else None
    result = judge_lines(Recorded(file, file.name), course)
    raw, lines = result.as_json(), _judged(result)
    if course is not None and explained:
        reasons = explain(result.reading, result.plan, course)
        raw["explanation"] = reasons
        lines += ["", *reasons]
    if course is not None and plot:
        _write(plot, picture(result, course))
    show(raw, lines, as_json=as_json)
    return _EXITS[result.reading.word]


def _write(plot: Path, drawn: str) -> None:
    try:
        plot.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise Refused(
            f"{plot} cannot be written: {error.strerror}.", cure="Name another file to --plot."
        ) from error


def _judged(result: JudgeResult) -> list[str]:
    reading, needed = result.reading, 1 / result.plan.alpha_worse
    lines = [
        f"{str(reading.word).upper()} after {span(reading.at)}: {reading.because}",
        f"  Evidence against it: {reading.evidence:.1f} of the {needed:.0f} that mean worse.",
    ]
    for metric in reading.metrics:
        margin = f", {metric.margin}" if metric.margin else ""
        need = "" if metric.required else ", not required"
        lines.append(f"  {metric.name}: {metric.word}{margin}{need}")
    return lines
