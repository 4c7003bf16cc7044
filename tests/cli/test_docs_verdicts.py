"""The worked example of docs/verdicts.md, run again."""

import re
from pathlib import Path

import pytest
from console import Console, lonely
from example import WORLDS, record

__all__ = ["lonely"]  # pytest takes fixtures by name from here

PAGE = Path(__file__).parents[2] / "docs" / "verdicts.md"


@pytest.mark.parametrize(("change", "code"), [("harmless", 0), ("harmful", 10)])
def test_the_page_shows_what_the_command_says(lonely: Console, change, code) -> None:
    """Each line of the example is what comes out today."""
    command = rf"\$ python benchmarks/example.py {change} \| surefoot judge - --explain"
    shown = re.search(command + r"\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    said = lonely("judge", "-", "--explain", sent="\n".join(record(WORLDS[change])))
    assert (said.code, said.out) == (code, shown[1])
