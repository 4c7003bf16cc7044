"""What goes to the console: lines for a person, one JSON object for a program."""

import json
import sys
from collections.abc import Iterable

from surefoot.cli.errors import SaidNo
from surefoot.cli.exits import Exit
from surefoot.domain.errors import BadEvidence, OutsideFailed, SurefootError
from surefoot.domain.text import clean

__all__ = ["exit_for", "note", "say_error", "show"]


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
