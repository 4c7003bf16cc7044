"""Options that several commands share."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

__all__ = ["MOMENT", "SPAN", "as_json", "because", "service_option"]

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def _seconds(text: str) -> float | None:
    """The seconds of `90s` or `2h`; None for anything else."""
    count, unit = text[:-1], text[-1:]
    return float(count) * _UNITS_S[unit] if count.isdecimal() and unit in _UNITS_S else None


class Moment(click.ParamType[float]):
    """A time: `2026-05-01 14:03`, or how long ago: `2h`, `3d`."""

    name = "TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Epoch seconds; a time without a zone is one on this host's clock."""
        if isinstance(value, float):
            return value
        ago = _seconds(value)
        if ago is not None:
            return datetime.now().astimezone().timestamp() - ago
        try:
            return datetime.fromisoformat(value).astimezone().timestamp()
        except (ValueError, OverflowError, OSError):
            self.fail(f"'{value}' is no time. Try 2h, 3d, or 2026-05-01T14:03.", param, ctx)


class Span(click.ParamType[float]):
    """How long: `90s`, `30m`, `1h`, `2d`."""

    name = "SPAN"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds, more than none."""
        if isinstance(value, float):
            return value
        return _seconds(value) or self.fail(
            f"'{value}' is no span of time. Try 30m, 1h, or 2d.", param, ctx
        )


MOMENT = Moment()
SPAN = Span()

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
service_option = click.option("--service", metavar="NAME", help="Default: that of this folder.")


def because(*, required: bool) -> Callable[[Command], Command]:
    """The reason for an order; it stays on record."""
    says = "The reason; it stays on record."
    if required:
        return click.option("--because", metavar="WHY", required=True, help=says)
    return click.option("--because", metavar="WHY", default="", help=says)
