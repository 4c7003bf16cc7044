"""The one thing that can go wrong for a reader of the demo."""

__all__ = ["DemoError"]


class DemoError(Exception):
    """The demo cannot go on; the message says what happened, and what it was waiting for."""
