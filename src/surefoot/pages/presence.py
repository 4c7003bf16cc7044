"""Who looks at a change right now, on a page or in a terminal."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from surefoot.domain.change import Person

__all__ = ["Presence"]


class Presence:
    """Counts who is there; somebody with two windows is there once."""

    def __init__(self) -> None:
        """Nobody looks yet."""
        self._there: dict[int, Counter[Person]] = {}

    @contextmanager
    def of(self, number: int, person: Person) -> Iterator[None]:
        """This person looks at change `number` for as long as this lasts."""
        there = self._there.setdefault(number, Counter())
        there[person] += 1
        try:
            yield
        finally:
            there[person] -= 1
            if not there[person]:
                del there[person]
            if not there:
                self._there.pop(number, None)

    def names(self, number: int) -> tuple[str, ...]:
        """The names of those who look at it, in the order of the alphabet."""
        return tuple(sorted({person.name for person in self._there.get(number, ())}))
