"""What goes to the console: lines for a person, one JSON object for a program."""

import json
import re
import sys
from collections.abc import Iterable

from surefoot.cli.errors import SaidNo
from surefoot.cli.exits import Exit
from surefoot.domain.errors import BadEvidence, OutsideFailed, SurefootError

__all__ = ["clean", "exit_for", "note", "say_error", "show"]

# What a commit subject or a program's output may hold and a terminal would obey.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def show(raw: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Print the answer: as it came for a program, in sentences for a person."""
    if as_json:
        print(json.dumps(raw, indent=2))
    else:
        for line in lines:
            print(clean(line))
    sys.stdout.flush()


def note(line: str) -> None:
    """Say something beside the answer, where it is in no program's way."""
    print(clean(line), file=sys.stderr, flush=True)


def clean(text: str) -> str:
    """The text without characters that would steer the terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def exit_for(error: SurefootError) -> Exit:
    """What a command that met this error exits with."""
    if isinstance(error, SaidNo):
        return Exit.REFUSED if error.is_refusal else Exit.UNKNOWN
    if isinstance(error, BadEvidence):
        return Exit.USAGE
    return Exit.UNKNOWN if isinstance(error, OutsideFailed) else Exit.REFUSED


def say_error(title: str, detail: str, cure: str, code: int, *, as_json: bool) -> None:
    """Say what, why, and the way on."""
    if as_json:
        error = {"title": title, "detail": detail, "cure": cure, "exit_code": code}
        print(json.dumps({"error": error}, indent=2), flush=True)
        return
    note(detail if detail.startswith(title) else f"{title}: {detail}")
    if cure:
        note(f"  {cure}")
