"""`judge`: recorded evidence, judged again by the engine that judges rollouts."""

from typing import Any

import click

from surefoot.analysis.record import JudgeResult, judge_lines
from surefoot.cli.exits import Exit
from surefoot.cli.figures import span
from surefoot.cli.options import as_json
from surefoot.cli.output import show
from surefoot.domain.errors import BadEvidence
from surefoot.domain.verdict import Word

__all__ = ["judge"]

_EXITS = {
    Word.VERIFIED: Exit.DONE,
    Word.WORSE: Exit.RESTORED,
    Word.WATCHING: Exit.UNDECIDED,
    Word.INCONCLUSIVE: Exit.UNDECIDED,
}


@click.command(short_help="Judge recorded evidence again.")
@click.argument("file", metavar="FILE", type=click.File("r", encoding="utf-8"))
@as_json
def judge(file: Any, *, as_json: bool) -> int:
    """Judge recorded ticks (JSON Lines; `-` reads standard input) by the same engine."""
    try:
        result = judge_lines(file)
    except UnicodeDecodeError as error:
        raise BadEvidence(f"{file.name} is not UTF-8: {error}.", cure="Write it anew.") from error
    show(result.as_json(), _judged(result), as_json=as_json)
    return _EXITS[result.reading.word]


def _judged(result: JudgeResult) -> list[str]:
    reading = result.reading
    lines = [
        f"{str(reading.word).upper()} after {span(reading.at)}: {reading.because}",
        f"  Evidence against it: {reading.evidence:.1f} of the 100 that mean worse.",
    ]
    for metric in reading.metrics:
        margin = f", {metric.margin}" if metric.margin else ""
        need = "" if metric.required else ", not required"
        lines.append(f"  {metric.name}: {metric.word}{margin}{need}")
    return lines
