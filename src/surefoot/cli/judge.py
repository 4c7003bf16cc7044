"""`judge`: recorded evidence, judged again by the engine that judges rollouts."""

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from surefoot.analysis.course import Course
from surefoot.analysis.explain import explain
from surefoot.analysis.record import JudgeResult, judge_lines
from surefoot.analysis.ticks import Arm
from surefoot.analysis.words import level_in_words, promise_in_words
from surefoot.cli.exits import Exit
from surefoot.cli.options import MOMENT, SPAN, as_json
from surefoot.cli.output import note, show
from surefoot.cli.recorded import Recorded
from surefoot.cli.second_opinion import Asked, second_opinion
from surefoot.domain.errors import Refused
from surefoot.domain.verdict import Word
from surefoot.drawing.figures import span, times
from surefoot.drawing.picture import picture

__all__ = ["judge"]

Command = TypeVar("Command", bound=Callable[..., Any])

_LONG = {"lasting": "for"}
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


def _prometheus(command: Command) -> Command:
    """The options that ask a Prometheus instead of a file."""
    path = click.Path(dir_okay=False, path_type=Path)
    options = (
        click.option("--prometheus", "url", metavar="URL", help="Ask this instead of a FILE."),
        click.option("--canary", metavar="MATCHERS", help="""The canary: 'release="b"'."""),
        click.option("--baseline", metavar="MATCHERS", help="""The baseline: 'release="a"'."""),
        click.option("--errors", metavar="BAD[/TOTAL]", help="The counters of bad and all."),
        click.option("--latency", metavar="HISTOGRAM", help="A histogram of seconds."),
        click.option("--start", type=MOMENT, help="From then. Default: 15 minutes ago."),
        click.option("--end", type=MOMENT, help="Until then. Default: now."),
        click.option("--for", "lasting", type=SPAN, help="So long until the end."),
        click.option("--follow", is_flag=True, help="Go on until there is a verdict."),
        click.option("--headers", type=path, metavar="FILE", help="Sent along: `Name: value`."),
        click.option("--plan", type=path, metavar="FILE", help="Margins and limits, as JSON."),
        click.option("--record", type=path, metavar="NEW", help="Keep the ticks, as a FILE."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(short_help="Judge recorded evidence again.")
@click.argument("file", metavar="[FILE]", type=_Evidence("rb"), required=False)
@click.option("--explain", "explained", is_flag=True, help="Say why, in sentences.")
@click.option(
    "--plot",
    metavar="SVG",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the evidence, and both arms over time, into this file.",
)
@_prometheus
@as_json
def judge(
    file: IO[bytes] | None, plot: Path | None, *, explained: bool, as_json: bool, **asked: Any
) -> int:
    """Judge recorded ticks (JSON Lines, or these compressed by gzip; `-`: standard input).

    Or, with --prometheus, what a Prometheus has of two releases that somebody else ships.
    """
    courses: list[Course] = []

    def judged(recorded: Recorded) -> JudgeResult:
        courses[:] = [Course()] if explained or plot else []
        return judge_lines(recorded, *courses)

    try:
        result = _result(file, asked, judged, quiet=as_json)
    except KeyboardInterrupt:
        note("You left. Nothing was changed.")
        return Exit.LEFT
    raw, lines = result.as_json(), _judged(result)
    course = courses[-1] if courses else None
    if course is not None and explained:
        reasons = explain(result.reading, result.plan, course)
        raw["explanation"] = reasons
        lines += ["", *reasons]
    if course is not None and plot:
        _write(plot, picture(result, course))
    show(raw, lines, as_json=as_json)
    return _EXITS[result.reading.word]


def _result(
    file: IO[bytes] | None,
    asked: dict[str, Any],
    judged: Callable[[Recorded], JudgeResult],
    *,
    quiet: bool,
) -> JudgeResult:
    """From a file, or from a Prometheus."""
    if asked["url"] is None:
        given = [f"--{_LONG.get(name, name)}" for name, value in asked.items() if value]
        if file is None:
            raise click.UsageError("Missing argument 'FILE', or --prometheus URL.")
        if given:
            raise click.UsageError(f"{given[0]} is for --prometheus URL alone.")
        return judged(Recorded(file, file.name))
    if file is not None:
        raise click.UsageError("Give a FILE or --prometheus URL, not both.")
    for arm in Arm:
        if not asked[arm]:
            raise click.UsageError(f"--prometheus needs --{arm} MATCHERS, too.")
    return second_opinion(Asked(**asked), judged, (lambda _: None) if quiet else _say)


def _say(line: str) -> None:
    show(None, [line], as_json=False)


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
        told = f"{metric.word}{margin}{_ratio(result.ratios.get(metric.name))}{need}"
        lines.append(f"  {metric.name}: {told}{level_in_words(metric.level)}")
    lines += (f"  {promise_in_words(promise)}" for promise in reading.promises)
    lines += (f"  Mind: {warning}" for warning in reading.warnings)
    return lines


def _ratio(ends: tuple[float, float] | None) -> str:
    if ends is None or ends == (0.0, inf):
        return ""
    return f"; the canary's rate is {times(ends)}"
