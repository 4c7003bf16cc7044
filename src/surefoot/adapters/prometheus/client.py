"""Asking a Prometheus, by its HTTP API (stable, version 1): raw samples of a span of time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import msgspec

from surefoot.domain.errors import BadEvidence, OutsideFailed
from surefoot.domain.text import without_password

__all__ = ["Client", "Series", "read_headers"]

_PATIENCE_S = 30.0
_LARGEST_BYTES = 64_000_000
_OK, _MOVED, _BAD_DATA, _TOO_MUCH = 200, 300, 400, 422
_NOT_ALLOWED = (401, 403)
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")  # RFC 9110, 5.1


class Series(msgspec.Struct, frozen=True):
    """One series: its labels, and (epoch seconds, value as text) in order."""

    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    histograms: list[Any] = []


class _Data(msgspec.Struct):
    result: list[Series] = []


class _Answer(msgspec.Struct):
    status: str
    data: _Data | None = None
    error: str = ""
    warnings: list[str] = []


@dataclass(frozen=True, slots=True)
class Client:
    """A Prometheus at `url`; `headers` go with every request and into no message."""

    url: str
    headers: Mapping[str, str]
    session: aiohttp.ClientSession

    @classmethod
    def open(cls, url: str, headers: Mapping[str, str]) -> "Client":
        """Begin; nothing is asked yet. To be used as a context.

        Raises:
            BadEvidence: the address is none, or carries a password.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadEvidence(
                f"{without_password(url)!r} is no address of a Prometheus.",
                cure="Write it as http://host:9090, with the path below which it lives, if any.",
            )
        if parts.username or parts.password:
            raise BadEvidence(
                "The address of the Prometheus carries a password, which every process can read.",
                cure="Put `Authorization: Basic ...` into a file, and name that to --headers.",
            )
        session = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=_PATIENCE_S),
            read_bufsize=1 << 20,
        )
        return cls(url.rstrip("/"), headers, session)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.session.close()

    async def samples(self, selector: str, start: float, end: float) -> Sequence[Series]:
        """All samples with start < t <= end, epoch seconds.

        Raises:
            OutsideFailed: it does not answer, or not wholly.
            BadEvidence: it does not take the selector.
        """
        # Prometheus 2 includes the start of a range and 3 does not: the samples are looked at.
        query = f"{selector}[{max(1, round((end - start) * 1000))}ms]"
        body, status, redirect = await self._post({"query": query, "time": f"{end:.3f}"})
        answer = self._read(body, status, redirect, selector)
        return [
            Series(s.metric, [v for v in s.values if start < v[0] <= end], s.histograms)
            for s in answer
        ]

    async def _post(self, form: Mapping[str, str]) -> tuple[bytes, int, str]:
        url = f"{self.url}/api/v1/query"
        try:
            async with self.session.post(url, data=form, allow_redirects=False) as answer:
                body = bytearray()
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > _LARGEST_BYTES:
                        raise BadEvidence(
                            f"An answer of {self.url} is larger than {_LARGEST_BYTES:,} bytes.",
                            cure="Select fewer series: name the job, and leave out what is no"
                            " request of users.",
                        )
                return bytes(body), answer.status, answer.headers.get("Location", "")
        except TimeoutError as error:
            raise OutsideFailed(
                f"Prometheus did not answer at {self.url} within {_PATIENCE_S:.0f} s.",
                cure="Select fewer series, or look at its load.",
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise OutsideFailed(
                f"Prometheus does not answer at {self.url} ({str(error) or type(error).__name__}).",
                cure="Look whether it runs and the address is right: it is that of its pages.",
            ) from error

    def _read(self, body: bytes, status: int, redirect: str, selector: str) -> Sequence[Series]:
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            answer = None
        if status in _NOT_ALLOWED:
            raise OutsideFailed(
                f"{self.url} wants to know who asks (HTTP {status}).",
                cure="Put `Authorization: Bearer ...` into a file, and name that to --headers.",
            )
        if _MOVED <= status < _BAD_DATA:
            raise OutsideFailed(
                f"{self.url} leads elsewhere (HTTP {status}, {without_password(redirect)}).",
                cure="Give the address it leads to; headers are sent nowhere else unasked.",
            )
        if answer is None:
            raise OutsideFailed(
                f"What answers at {self.url} is not Prometheus' API (HTTP {status}).",
                cure="Give the address below which /api/v1/query answers.",
            )
        if status == _BAD_DATA:
            raise BadEvidence(
                f"Prometheus does not take {selector}: {answer.error}.",
                cure="Try the selector in its own page first.",
            )
        if status == _TOO_MUCH:
            raise BadEvidence(
                f"Prometheus refuses {selector}: {answer.error}.",
                cure="Select fewer series, or raise --query.max-samples there.",
            )
        if status != _OK or answer.status != "success" or answer.data is None:
            raise OutsideFailed(
                f"Prometheus failed at {self.url} (HTTP {status}): {answer.error or 'no reason'}.",
                cure="Its own log tells more; try again.",
            )
        if answer.warnings:
            raise OutsideFailed(
                f"Prometheus answered in part at {self.url}: {'; '.join(answer.warnings)}.",
                cure="Half an arm must not be judged: ask when all of its stores answer.",
            )
        return answer.data.result


def read_headers(text: str, where: str) -> Mapping[str, str]:
    """Headers, one `Name: value` a line; empty lines and those with # are passed by.

    Args:
        text: the lines.
        where: the place, for messages; values are never told.

    Raises:
        BadEvidence: a line is no header.
    """
    headers = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _HEADER.fullmatch(line)
        if found is None or not found[2].isprintable():
            raise BadEvidence(
                f"Line {number} of {where} is no header.",
                cure="Write `Name: value`, such as `Authorization: Bearer ...`.",
            )
        headers[found[1]] = found[2]
    return headers
