"""`judge`: recorded evidence, judged again by the engine that judges rollouts."""

import gzip
import io
import zlib
from pathlib import Path
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

_GZIP = b"\x1f\x8b"
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
@as_json
def judge(file: io.BufferedReader, *, as_json: bool) -> int:
    """Judge recorded ticks (JSON Lines, or these compressed by gzip; `-`: standard input)."""
    try:
        with io.TextIOWrapper(_plain(file), encoding="utf-8") as lines:
            result = judge_lines(lines)
    except UnicodeDecodeError as error:
        raise BadEvidence(f"{file.name} is not UTF-8: {error}.", cure="Write it anew.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadEvidence(
            f"{file.name} is not whole: {error}.", cure="Take another copy of it."
        ) from error
    show(result.as_json(), _judged(result), as_json=as_json)
    return _EXITS[result.reading.word]


def _plain(file: io.BufferedReader) -> io.BufferedReader | gzip.GzipFile:
    """What is in a file, whether or not it is compressed."""
    if file.peek(len(_GZIP)).startswith(_GZIP):
        return gzip.open(file)
    return file


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
