"""Templates into HTML. All is escaped, but what a template itself or a drawing of ours is."""

import hashlib
import re
from datetime import UTC, datetime
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from surefoot.domain.text import clean, span
from surefoot.drawing.figures import amount, percent, rate, short
from surefoot.pages.mood import change_mood
from surefoot.pages.words import Line, Moment, seconds, sentence, whole

__all__ = ["FILES", "prepare", "render"]

FILES = {
    file.name: file.read_bytes()
    for file in (files("surefoot.pages") / "static").iterdir()
    if file.is_file()
}
"""What the pages are made with, by name: a style, a script, icons."""
_UNIT = re.compile(r"(?<=\d) (?=(?:%|s|min|h)(?!\w))")
_COMMAND = re.compile(r"`([^`]+)`")


def render(template: str, **values: object) -> str:
    """One template with its values. A value that is missing is an error, not an empty place."""
    return _ENVIRONMENT.get_template(template).render(**values)


def prepare() -> None:
    """Compile all templates, so that the first reader waits no longer than the others."""
    for name in _ENVIRONMENT.list_templates():
        _ENVIRONMENT.get_template(name)


@pass_context
def _when(context: Context, at: float, *, day: bool = False) -> Markup:
    """A moment: in UTC here, in the reader's own time once the script runs; UTC on hover."""
    utc = datetime.fromtimestamp(at, UTC)
    shown = f"{utc:%Y-%m-%d %H:%M} UTC" if day else Moment(at).seen_at(context["now"])
    return _time(utc, "day" if day else "", shown)


def _ago(at: float) -> Markup:
    """How long ago; the script keeps it true."""
    utc = datetime.fromtimestamp(at, UTC)
    return _time(utc, "ago", f"at {utc:%H:%M} UTC")


def _time(utc: datetime, shape: str, shown: str) -> Markup:
    stamp, title = f"{utc:%Y-%m-%dT%H:%M:%S.%f}"[:-3], f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}Z" title="{}" data-shape="{}">{}</time>').format(
        stamp, title, shape, shown
    )


@pass_context
def _line(context: Context, line: Line) -> Markup:
    """A sentence with its moments and commands. A figure and its unit are never parted."""
    return Markup("").join(
        _when(context, part.at) if isinstance(part, Moment) else _told(part) for part in line
    )


def _told(said: str) -> Markup:
    between = _COMMAND.split(_UNIT.sub("\u00a0", str(_fit(said))))
    between[1::2] = map(Markup("<code>{}</code>").format, between[1::2])
    return Markup("").join(between)


def _fit(value: object) -> object:
    """What others wrote steers nothing, and turns no reading around; line breaks stay."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(map(clean, value.split("\n")))
    return value


def _versioned(name: str) -> str:
    """Where a static file is; the address changes when one of them does."""
    return f"/static/{name}?{_VERSION}"


_VERSION = hashlib.sha256(b"".join(FILES[name] for name in sorted(FILES))).hexdigest()[:8]
_ENVIRONMENT = Environment(
    loader=PackageLoader("surefoot.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_fit,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    {
        "when": _when,
        "ago": _ago,
        "line": _line,
        "amount": amount,
        "mood": change_mood,
        "percent": percent,
        "rate": rate,
        "seconds": seconds,
        "short": short,
        "span": span,
        "whole": whole,
        "sentence": sentence,
    }
)
_ENVIRONMENT.globals.update(static=_versioned)
