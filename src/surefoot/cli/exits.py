"""What each exit code means. Scripts stand on these; they never change their meaning."""

from enum import IntEnum

__all__ = ["Exit"]


class Exit(IntEnum):
    """How a command ended, for a program that reads it."""

    DONE = 0  # verified, adopted, applied, or the order was carried out
    WRONG = 1  # `demo` or `doctor` found something wrong
    USAGE = 2  # the command was not understood
    RESTORED = 10  # the service was given back, whatever the cause
    NOT_RESTORED = 20  # not, or not yet, given back
    REFUSED = 30  # refused or rejected before any user met it
    UNDECIDED = 40  # neither verified nor harmful: inconclusive, held, accepted, withdrawn
    UNKNOWN = 50  # Surefoot was not reached, or failed: nothing is known
    LEFT = 130  # you left, it goes on
