"""Everything that Surefoot may say no with, split by what the reader can do.

SurefootError
├── Refused            nothing was changed; do what the cure says, then try again
│   ├── BadManifest    `surefoot.toml` cannot be used: file, line and cure
│   ├── BadRevision    the revision is unknown, malformed or does not fit
│   ├── BadEvidence    a recorded evidence file cannot be read: the line is named
│   └── NotAllowed     the person may not do this; somebody else may
├── NotFound           there is no such service, change or release
├── OutsideFailed      a program or file we stand on did not do its part; tried again
│   └── Relieved       another control plane took over; this one must stop acting
└── IllegalMove        a phase cannot follow another: a fault of Surefoot, nothing was changed

The docstring of a class is its message when none is given.
"""

__all__ = [
    "BadEvidence",
    "BadManifest",
    "BadRevision",
    "IllegalMove",
    "NotAllowed",
    "NotFound",
    "OutsideFailed",
    "Refused",
    "Relieved",
    "SurefootError",
]


class SurefootError(Exception):
    """Something went wrong inside Surefoot; the daemon's log tells more."""

    cure: str

    def __init__(self, message: str | None = None, *, cure: str = "") -> None:
        """Take the message, or the class docstring, and what the reader can do about it."""
        super().__init__(message or type(self).__doc__)
        self.cure = cure

    @property
    def message(self) -> str:
        """The message alone, without its cure."""
        return str(self.args[0])

    def __str__(self) -> str:
        """The message, and the cure behind it."""
        return f"{self.message} {self.cure}".strip()


class Refused(SurefootError):  # noqa: N818 -- a refusal is an answer, not a fault
    """This cannot be done now, and nothing was changed."""


class BadManifest(Refused):
    """`surefoot.toml` cannot be used."""


class BadRevision(Refused):
    """This revision cannot be used. Name a commit that the service's repository has."""


class BadEvidence(Refused):
    """This evidence file cannot be read."""


class NotAllowed(Refused):
    """You may not do this; somebody else of the team may."""


class NotFound(SurefootError):  # noqa: N818 -- as above
    """There is nothing by that name here. `surefoot status` lists what there is."""


class OutsideFailed(SurefootError):  # noqa: N818 -- as above
    """A program that Surefoot stands on did not do its part."""


class Relieved(OutsideFailed):
    """Another control plane took over; this one stops acting."""


class IllegalMove(SurefootError):  # noqa: N818 -- as above
    """This phase cannot follow that one; nothing was changed."""
