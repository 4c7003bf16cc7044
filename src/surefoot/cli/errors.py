"""What a command can meet beside the errors of the domain: no answer, a no, a person who leaves."""

from collections.abc import Mapping

from surefoot.domain.errors import OutsideFailed, SurefootError

__all__ = ["Left", "SaidNo", "Unreachable"]

_A_NO = 400
_UNAUTHORIZED = 401
_OUR_FAULT = 500


class Unreachable(OutsideFailed):
    """Surefoot does not answer, so nothing is known. Users are served as they were."""


class SaidNo(SurefootError):  # noqa: N818 -- a refusal is an answer, not a fault
    """Surefoot answered, and said no."""

    def __init__(self, status: int, problem: Mapping[str, object]) -> None:
        """Take the answer's status and its problem document (RFC 9457)."""
        title = str(problem.get("title") or "Surefoot said no")
        super().__init__(str(problem.get("detail") or title), cure=str(problem.get("cure") or ""))
        self.status = status
        self.title = title

    @property
    def is_refusal(self) -> bool:
        """Whether nothing was changed, and that is certain."""
        return _A_NO <= self.status < _OUR_FAULT and self.status != _UNAUTHORIZED


class Left(Exception):  # noqa: N818 -- leaving is no fault
    """The person left; the change goes on."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"Still shipping. `surefoot undo {number}` to stop, `surefoot watch {number}` to look."
        )
