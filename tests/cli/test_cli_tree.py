"""The command tree against its page, its table, and the values that the API gives."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from surefoot.cli import views
from surefoot.cli.exits import Exit
from surefoot.cli.main import ALIASES, COMMANDS, surefoot
from surefoot.engine import status
from surefoot.ports import Entry

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(surefoot)
    for name in COMMANDS:
        command = surefoot.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())
        else:
            yield name, command


def section(name: str) -> str:
    """What the page says below a command's heading."""
    found = re.search(
        rf"^### `surefoot {re.escape(name)}[` ].*?(?=^##|\Z)", page(), re.MULTILINE | re.DOTALL
    )
    assert found, f"docs/commands.md has no heading for {name}"
    return found[0]


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=str)
def test_the_page_has_every_command_and_option(name: str, command: click.Command) -> None:
    """Each option and argument is named in its command's section; no other option is."""
    told = section(name)
    real = {
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    named = set(re.findall(r"^\| `(--[a-z-]+)", told, re.MULTILINE))
    named |= set(re.findall(r"^\| `--[a-z-]+[^`]*`, `(--[a-z-]+)", told, re.MULTILINE))
    assert named | {"--json"} == real | {"--json"}
    heading = told.splitlines()[0]
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            word = re.sub(r"[^A-Z]", "", parameter.make_metavar(click.Context(command)))
            assert word[:4] in re.sub(r"[^A-Z]", "", heading)


def test_the_page_has_no_command_that_is_not_there() -> None:
    """A heading stands for a real command."""
    headings = re.findall(
        r"^### `surefoot ([a-z-]+(?: (?:list|new|revoke|placebo))?)", page(), re.MULTILINE
    )
    assert headings == [name for name, _ in commands()]


def test_the_page_has_every_exit_code_and_alias() -> None:
    """The table of exit codes is complete, and so are the other names."""
    codes = {int(code) for code in re.findall(r"^\| \*\*(\d+)\*\* \|", page(), re.MULTILINE)}
    assert codes == {int(code) for code in Exit}
    for alias, name in ALIASES.items():
        assert f"`surefoot {alias}`" in section(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    """The sentence of the lazy table is that of the command itself."""
    command = surefoot.get_command(click.Context(surefoot), name)
    assert command is not None
    assert command.short_help == COMMANDS[name][1]
    assert command.help


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=str)
def test_every_command_has_json(name: str, command: click.Command) -> None:
    """A program can read each of them."""
    assert "--json" in {option for one in command.params for option in one.opts}, name


def test_views_are_the_engines_values() -> None:
    """Each field that is read exists with the same type in what the API serialises."""
    pairs = {
        getattr(views, name): getattr(status, name.replace("View", "Status"), None)
        or getattr(status, name.replace("View", ""), None)
        for name in views.__all__
        if name.endswith("View")
    }
    pairs[views.FindingView] = status.DoctorFinding
    pairs[views.EntryView] = Entry
    for shown, given in pairs.items():
        real = {field.name: shape(field.type) for field in fields(given)}
        for field in msgspec.structs.fields(shown):
            assert real[field.name] == shape(field.type), f"{shown.__name__}.{field.name}"


def fields(kind: object) -> tuple[msgspec.inspect.Field, ...]:
    inspected = msgspec.inspect.type_info(kind)
    assert isinstance(inspected, msgspec.inspect.DataclassType)
    return inspected.fields


def shape(kind: object) -> str:
    """A type in words, in which a view and the value that it shows are the same."""
    inspected = kind if isinstance(kind, msgspec.inspect.Type) else msgspec.inspect.type_info(kind)
    if isinstance(inspected, msgspec.inspect.UnionType):
        return " | ".join(sorted(shape(one) for one in inspected.types))
    if isinstance(inspected, msgspec.inspect.VarTupleType):
        return f"({shape(inspected.item_type)})"
    if isinstance(inspected, msgspec.inspect.StructType | msgspec.inspect.DataclassType):
        return inspected.cls.__name__.removesuffix("View").removesuffix("Status")
    return type(inspected).__name__
