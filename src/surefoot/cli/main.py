"""The command tree. A command's module is loaded when it is used, so that all start at once."""

import io
import os
import sys
import traceback
from collections.abc import Sequence
from pkgutil import resolve_name

import click

from surefoot import __version__
from surefoot.cli.errors import Left, SaidNo
from surefoot.cli.exits import Exit
from surefoot.cli.output import exit_for, say_error
from surefoot.domain.errors import BadEvidence, OutsideFailed, SurefootError
from surefoot.domain.text import clean

__all__ = ["COMMANDS", "main", "run", "surefoot"]

# name: (where it is, what it does); the order is that of the help.
COMMANDS = {
    "init": ("surefoot.cli.begin:init", "Write a surefoot.toml and make the service known."),
    "adopt": ("surefoot.cli.ship:adopt", "Take over what runs today, as the first baseline."),
    "doctor": ("surefoot.cli.begin:doctor", "Say what is missing, and the cure."),
    "plan": ("surefoot.cli.ship:plan", "Say what ship would do; changes nothing."),
    "ship": ("surefoot.cli.ship:ship", "Take a commit to verified in production."),
    "watch": ("surefoot.cli.ship:watch", "Follow a change."),
    "status": ("surefoot.cli.looks:status", "Say what is live, and what comes next."),
    "why": ("surefoot.cli.looks:why", "Say why a change is where it is, with the evidence."),
    "accept": ("surefoot.cli.orders:accept", "Answer for a change that evidence left undecided."),
    "undo": ("surefoot.cli.orders:undo", "Give the service back, now."),
    "hold": ("surefoot.cli.orders:hold", "Expose nothing further of a service."),
    "resume": ("surefoot.cli.orders:resume", "Open the lane of a service again."),
    "review": ("surefoot.cli.orders:review", "Read, approve or ask about a change."),
    "log": ("surefoot.cli.looks:log", "List changes, one a line."),
    "learn": ("surefoot.cli.drills:learn", "Say how often it is wrong here, and what it learnt."),
    "drill": ("surefoot.cli.drills:drill", "Try on a live service what must hold."),
    "up": ("surefoot.cli.running:up", "Start the control plane on this host."),
    "down": ("surefoot.cli.running:down", "Stop the control plane; users stay served."),
    "open": ("surefoot.cli.opening:open_", "Open the pages, signed in."),
    "token": ("surefoot.cli.running:token", "Give, list and close people's keys."),
    "give-back": ("surefoot.cli.host:give_back", "Give a service back without the daemon."),
    "judge": ("surefoot.cli.judge:judge", "Judge recorded evidence again."),
    "demo": ("surefoot.cli.host:demo", "See three changes on their way, live."),
}
ALIASES = {"where": "status", "rollback": "undo"}


class Lazy(click.Group):
    """A group that knows its commands' names and sentences, and loads one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names but the aliases, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        del ctx
        named = COMMANDS.get(ALIASES.get(cmd_name, cmd_name))
        if named is None:
            return None
        command: click.Command = resolve_name(named[0])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in COMMANDS.items()])
        with formatter.section("Other names"):
            formatter.write_dl([(name, f"The same as {what}.") for name, what in ALIASES.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="surefoot %(version)s")
def surefoot() -> None:
    """Ship small. Watch it live. Restore fast."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A console without a letter for what a commit says must not look like a mistake of ours.
        sys.stdout.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code.

    This is the command line's edge: whatever was raised becomes a sentence and an exit code here.
    """
    as_json = "--json" in arguments
    try:
        code = int(surefoot.main(list(arguments), prog_name="surefoot", standalone_mode=False) or 0)
    except click.UsageError as error:
        code = _usage(error, as_json=as_json)
    except SurefootError as error:
        code = _said_no(error, as_json=as_json)
    except (Left, KeyboardInterrupt, click.Abort) as error:
        code = _left(error, as_json=as_json)
    except BrokenPipeError:
        # Whoever read our lines has enough; Python would complain about it once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.UNKNOWN
    except Exception as error:  # noqa: BLE001 -- the edge: a fault of ours must not look like a verdict
        code = _unforeseen(error, as_json=as_json)
    return code


def _left(error: BaseException, *, as_json: bool) -> int:
    said = str(error) if isinstance(error, Left) else "What was ordered goes on."
    cure = "" if isinstance(error, Left) else "`surefoot status` shows what is so."
    say_error("You left", said, cure, Exit.LEFT, as_json=as_json)
    return Exit.LEFT


def _usage(error: click.UsageError, *, as_json: bool) -> int:
    if as_json:
        cure = f"{error.ctx.command_path} --help" if error.ctx else "surefoot --help"
        say_error("Not understood", error.format_message(), cure, Exit.USAGE, as_json=True)
    else:
        # It quotes what was typed, or pasted.
        click.UsageError(clean(error.format_message()), error.ctx).show()
    return Exit.USAGE


def _said_no(error: SurefootError, *, as_json: bool) -> int:
    code = exit_for(error)
    if isinstance(error, SaidNo):
        title = error.title
    elif isinstance(error, BadEvidence):
        title = "Not readable"
    else:
        title = "Not known" if isinstance(error, OutsideFailed) else "Refused"
    say_error(title, error.message, error.cure, code, as_json=as_json)
    return code


def _unforeseen(error: Exception, *, as_json: bool) -> int:
    if os.environ.get("SUREFOOT_DEBUG"):
        traceback.print_exception(error)
    detail = f"The command line itself met {type(error).__name__}: {error}."
    cure = "`surefoot status` shows what is so; SUREFOOT_DEBUG=1 shows where it happened."
    say_error("A mistake of Surefoot", detail, cure, Exit.UNKNOWN, as_json=as_json)
    return Exit.UNKNOWN
