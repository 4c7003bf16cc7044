"""Reading the keys of a JSON object, with errors that name the place and the cure."""

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite

from surefoot.domain.errors import BadEvidence

__all__ = ["Fields"]


class Fields:
    """The keys of one JSON object, found at `where`."""

    def __init__(self, where: str, values: object) -> None:
        """Take a decoded value.

        Raises:
            BadEvidence: it is not an object.
        """
        self.where = where
        if not isinstance(values, Mapping):
            raise BadEvidence(
                f"{self._place} is not a JSON object.", cure='Write it as {"key": value, ...}.'
            )
        self.values: Mapping[str, object] = values

    @property
    def _place(self) -> str:
        return self.where[:1].upper() + self.where[1:]

    def wrong(self, key: str, found: str, wanted: str) -> BadEvidence:
        """The error for a key whose value cannot be used."""
        return BadEvidence(f"{self._place}: `{key}` is {found}.", cure=f"It must be {wanted}.")

    def has(self, key: str) -> bool:
        """Whether the key is there, with a value."""
        return self.values.get(key) is not None

    def only(self, known: Iterable[str]) -> None:
        """Refuse keys that nobody reads, for they are likely misspelt.

        Raises:
            BadEvidence: there is one.
        """
        known = tuple(known)
        for key in self.values:
            if key not in known:
                raise BadEvidence(
                    f"{self._place}: nobody reads the key {key!r}.",
                    cure=f"Known are: {', '.join(known)}.",
                )

    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        least: float = -inf,
        most: float = inf,
        above: float = -inf,
    ) -> float:
        """A finite number within limits.

        Raises:
            BadEvidence: it is not, or is absent and has no default.
        """
        value = self.values.get(key)
        if value is None:
            if default is None:
                raise self.wrong(key, "absent", "a number")
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, repr(value), "a number")
        try:
            number = float(value)
        except OverflowError:
            number = inf
        if not isfinite(number) or not least <= number <= most or number <= above:
            raise self.wrong(key, f"{number:g}", _within(least, most, above))
        return number

    def text(self, key: str) -> str:
        """A text that is not empty.

        Raises:
            BadEvidence: it is not, or absent.
        """
        value = self.values.get(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "absent" if value is None else repr(value), "a text")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false.

        Raises:
            BadEvidence: it is neither.
        """
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, repr(value), "true or false")
        return value

    def choice(self, key: str, among: Sequence[str], default: str | None = None) -> str:
        """One of a few words.

        Raises:
            BadEvidence: it is another, or absent without a default.
        """
        value = self.values.get(key, default)
        if not isinstance(value, str) or value not in among:
            found = "absent" if value is None else repr(value)
            raise self.wrong(key, found, "one of " + ", ".join(among))
        return value

    def items(self, key: str) -> Sequence[object]:
        """A list, empty when absent.

        Raises:
            BadEvidence: it is not a list.
        """
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise self.wrong(key, repr(value), "a list")
        return value

    def inside(self, key: str) -> "Fields":
        """The object under a key; empty when absent.

        Raises:
            BadEvidence: it is not an object.
        """
        return Fields(f"{self.where}, `{key}`", self.values.get(key) or {})


def _within(least: float, most: float, above: float) -> str:
    limits = []
    if above > -inf:
        limits.append(f"above {above:g}")
    if least > -inf:
        limits.append(f"at least {least:g}")
    if most < inf:
        limits.append(f"at most {most:g}")
    return "a finite number" + (", " + " and ".join(limits) if limits else "")
