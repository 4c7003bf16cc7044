"""Who looks at a change right now, on a page or in a terminal."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from surefoot.domain.change import Person

__all__ = ["Presence"]


class Presence:
    """Counts who is there; somebody with two windows is there once.

    A change is known by its number alone, but 0: that is each service's adopted release.
    """

    def __init__(self) -> None:
        """Nobody looks yet."""
        self._there: dict[tuple[int, str], Counter[Person]] = {}

    @contextmanager
    def of(self, number: int, person: Person, service: str | None = None) -> Iterator[None]:
        """This person looks at change `number` for as long as this lasts."""
        key = _key(number, service)
        there = self._there.setdefault(key, Counter())
        there[person] += 1
        try:
            yield
        finally:
            there[person] -= 1
            if not there[person]:
                del there[person]
            if not there:
                self._there.pop(key, None)

    def names(self, number: int, service: str | None = None) -> tuple[str, ...]:
        """The names of those who look at it, in the order of the alphabet."""
        return tuple(sorted({person.name for person in self._there.get(_key(number, service), ())}))


def _key(number: int, service: str | None) -> tuple[int, str]:
    return number, (service or "") if number == 0 else ""
