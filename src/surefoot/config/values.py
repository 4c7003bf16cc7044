"""How each kind of value in `surefoot.toml` is read, and what is said when it cannot be."""

import ipaddress
import re
import reprlib
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from surefoot.domain.change import Person
from surefoot.domain.manifest import Address, MetricKind, Review

__all__ = ["READERS", "Bad"]

SERVICE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]")
PORT = re.compile(r"[0-9]{1,5}")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MATCH = r'[a-zA-Z_][a-zA-Z0-9_]*\s*!?=\s*"(?:[^"\\]|\\.)*"'
SELECTOR = re.compile(
    rf"[a-zA-Z_:][a-zA-Z0-9_:]*(?:\s*\{{\s*(?:{_MATCH}\s*(?:,\s*{_MATCH}\s*)*,?\s*)?\}})?"
)
PERSON = re.compile(r"\s*(?P<name>[^<>]+?)\s*<(?P<email>[^<>@\s]+@[^<>@\s]+)>\s*")
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OURS = {"PORT", "SUREFOOT_RELEASE", "SUREFOOT_SERVICE"}
LONGEST_S = 7 * 24 * 3600.0
MOST_INSTANCES = 64
LARGEST_SHARE = 0.5
WIDEST_POINTS = 10.0
PORTS = 65536
LONGEST_TEXT = 1000  # characters of one value; also keeps every pattern here quick


class Bad(Exception):  # noqa: N818 -- it becomes a BadManifest where the line is known
    """A value that cannot be used: what is wrong with it, and the cure."""

    def __init__(self, what: str, cure: str) -> None:
        """Take what is wrong, as it goes on after the key's name, and the cure."""
        super().__init__(what)
        self.what = what
        self.cure = cure


def _shown(value: object) -> str:
    """A value as an error shows it: short, whatever was written."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to write out whole numbers of thousands of digits
        return "too long to show"


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise Bad(f"is {_shown(value)}, not a line of text", "Write it in quotes.")
    if len(value) > LONGEST_TEXT:
        raise Bad(f"is over {LONGEST_TEXT} characters long", "Shorten it.")
    if not value.isprintable():
        cure = "Take out line breaks, tabs and control characters."
        raise Bad(f"is {_shown(value)}, not a line of text", cure)
    return value


def _name(value: object) -> str:
    text = _text(value)
    if not SERVICE_NAME.fullmatch(text):
        cure = 'Use up to 41 lower-case letters, digits and -, as in "my-shop".'
        raise Bad(f"is {_shown(text)}", cure)
    return text


def _address(value: object) -> Address:
    text = _text(value)
    host, _, port = text.rpartition(":")
    if not HOST.fullmatch(host) or not PORT.fullmatch(port) or not 0 < int(port) < PORTS:
        raise Bad(f"is {_shown(text)}", 'Write "host:port", as in "127.0.0.1:8080".')
    return Address(host.strip("[]"), int(port))


def _listen(value: object) -> Address:
    """The proxy binds to an address; a name could mean several."""
    address = _address(value)
    try:
        ipaddress.ip_address("127.0.0.1" if address.host == "localhost" else address.host)
    except ValueError:
        cure = 'Write an IP address: "127.0.0.1:8080", or "0.0.0.0:8080" for every interface.'
        raise Bad(f"is {_shown(str(address))}, a name to look up", cure) from None
    return address


def _argv(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise Bad(
            f"is {_shown(value)}, not a list of words",
            'Write ["program", "argument"]: no shell reads it.',
        )
    if not value[0] or any("\0" in word for word in value):
        raise Bad("has an empty program or a NUL byte", 'Write ["program", "argument"].')
    return tuple(value)


def _path(value: object) -> str:
    text = _text(value)
    if not text.startswith("/") or not text.isascii() or " " in text or "#" in text:
        raise Bad(f"is {_shown(text)}", 'Write a path as in a request, such as "/healthz".')
    return text


def _paths(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Bad("is no list", 'Write ["/", "/catalogue"].')
    return tuple(_path(one) for one in value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MOST_INSTANCES:
        raise Bad(f"is {_shown(value)}", f"Write a whole number from 1 to {MOST_INSTANCES}.")
    return value


def _table(value: object) -> tuple[tuple[str, str], ...]:
    cure = 'Write { NAME = "value" }.'
    if not isinstance(value, Mapping):
        raise Bad("is no table", cure)
    for name, text in value.items():
        if not ENV_NAME.fullmatch(name) or not isinstance(text, str) or "\0" in text:
            # The value stays unsaid: people do write passwords here.
            raise Bad(f"has {_shown(name)}, whose name or value cannot be used", cure)
        if name in OURS:
            raise Bad(f"sets {name}, which Surefoot gives", "Take it out.")
    return tuple(value.items())


def _file(value: object) -> str:
    text = _text(value)
    if not text.startswith("/"):
        raise Bad(
            f"is {_shown(text)}", "Give an absolute path on the server, outside the repository."
        )
    return text


def _report(value: object) -> str:
    text = _text(value)
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        cure = 'Name a file below the folder of surefoot.toml, such as "coverage/lcov.info".'
        raise Bad(f"is {_shown(text)}", cure)
    return str(path)


def _duration(value: object) -> float:
    found = DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise Bad(f"is {_shown(value)}, not a duration", 'Write "500ms", "10s", "15m" or "1h".')
    seconds = float(found[1]) * UNITS[found[2]]
    if seconds > LONGEST_S:
        raise Bad(f"is {_shown(value)}", "A week is the longest.")
    return seconds


def _limit(value: object) -> float:
    seconds = _duration(value)
    if seconds <= 0:
        raise Bad("is zero", 'Write how long it may take, such as "30s".')
    return seconds


def _timeout(value: object) -> float | None:
    return None if value == "off" else _limit(value)


def _one_of(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in words:
            listed = ", ".join(f'"{word}"' for word in words)
            raise Bad(f"is {_shown(value)}", f"Write one of: {listed}.")
        return str(value)

    return read


def _kind(value: object) -> MetricKind:
    return MetricKind(_one_of(*MetricKind)(value))


def _review(value: object) -> Review:
    return Review(_one_of(*Review)(value))


def _selector(value: object) -> str:
    text = _text(value)
    if not SELECTOR.fullmatch(text):
        raise Bad(f"is {_shown(text)}", "Write a series as in 'checkout_total{outcome=\"error\"}'.")
    return text


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Bad(f"is {_shown(value)}, not a number", "Write a number such as 1.5.")
    try:
        return float(value)
    except OverflowError:
        raise Bad("is far too large", "Write a number such as 1.5.") from None


def _ratio(value: object) -> float:
    number = _number(value)
    if not 1.0 <= number <= 100.0:  # noqa: PLR2004 -- a hundredfold is no margin any more
        raise Bad(f"is {number:g}", "Write how many times as high it may be: 1.0 to 100.")
    return number


def _points(value: object) -> float:
    number = _number(value)
    if not 0.0 <= number <= WIDEST_POINTS:
        raise Bad(f"is {number:g}", f"Write percentage points from 0 to {WIDEST_POINTS:g}.")
    return number


def _steps(value: object) -> tuple[float, ...] | None:
    cure = f'Write "auto", or rising shares up to {LARGEST_SHARE}, such as [0.1, 0.5].'
    if value == "auto":
        return None
    if not isinstance(value, list) or not value:
        raise Bad(f"is {_shown(value)}", cure)
    shares = tuple(_number(one) for one in value)
    rising = all(low < high for low, high in pairwise(shares))
    if not (rising and shares[0] > 0.0 and shares[-1] <= LARGEST_SHARE):
        raise Bad(f"is {_shown(value)}", cure)
    return shares


def _sticky(value: object) -> str:
    text = _text(value)
    if text in {"off", "cookie"} or re.fullmatch(r"header:[A-Za-z0-9-]{1,60}", text):
        return text
    raise Bad(f"is {_shown(text)}", 'Write "off", "cookie" or "header:NAME".')


def _globs(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Bad("is no list", 'Write ["migrations/**"].')
    return tuple(_text(one) for one in value)


def _people(value: object) -> tuple[Person, ...]:
    if not isinstance(value, list):
        raise Bad("is no list", 'Write ["Name <name@example.org>"].')
    people = []
    for one in value:
        found = PERSON.fullmatch(_text(one))
        if found is None:
            raise Bad(f"has {_shown(one)}", 'Write "Name <name@example.org>".')
        people.append(Person(found["name"], found["email"]))
    return tuple(people)


READERS: dict[str, Callable[[object], Any]] = {
    "name": _name,
    "address": _address,
    "listen": _listen,
    "argv": _argv,
    "path": _path,
    "paths": _paths,
    "count": _count,
    "table": _table,
    "file": _file,
    "report": _report,
    "duration": _duration,
    "limit": _limit,
    "timeout": _timeout,
    "kind": _kind,
    "selector": _selector,
    "worse": _one_of("higher", "lower"),
    "ratio": _ratio,
    "points": _points,
    "steps": _steps,
    "inconclusive": _one_of("restore", "hold"),
    "sticky": _sticky,
    "globs": _globs,
    "people": _people,
    "review": _review,
}
