"""One request at a time to the daemon, in the words of its API."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from surefoot.cli.errors import SaidNo, Unreachable
from surefoot.cli.home import address_of, token_of

__all__ = ["Daemon", "daemon"]

Raw = dict[str, Any]

ANSWER_LIMIT_S = 20.0
ORDER_LIMIT_S = 120.0  # `ship` and `plan` fetch the source first
LARGEST_ANSWER = 64_000_000  # bytes
_A_NO = 400


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that is somewhere, and the key to it."""

    url: str
    token: str
    patience_s: float = float("inf")  # the longest wait for an answer, whatever is asked

    def get(self, path: str, /, **query: object) -> Raw:
        """Ask something. Raises `Unreachable` or `SaidNo`."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        target = quote(path) + (f"?{urlencode(given)}" if given else "")
        return self._read(self._send("GET", target, None, ANSWER_LIMIT_S))

    def post(self, path: str, body: Mapping[str, object] | None = None) -> Raw:
        """Order something. Raises `Unreachable` or `SaidNo`."""
        text = json.dumps(body or {}).encode()
        return self._read(self._send("POST", quote(path), text, ORDER_LIMIT_S))

    def delete(self, path: str) -> Raw:
        """Close something. Raises `Unreachable` or `SaidNo`."""
        return self._read(self._send("DELETE", quote(path), None, ANSWER_LIMIT_S))

    def _read(self, text: bytes) -> Raw:
        answer = _object(text)
        if answer is None:
            raise Unreachable(
                f"What answers at {self.url} is not Surefoot.",
                cure="Set SUREFOOT_URL to where it is, or remove that setting.",
            )
        return answer

    def _send(self, method: str, target: str, body: bytes | None, limit_s: float) -> bytes:
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection = kind(parts.netloc, timeout=min(limit_s, self.patience_s))
            try:
                connection.request(method, parts.path.rstrip("/") + target, body, headers)
                response = connection.getresponse()
                text = response.read(LARGEST_ANSWER)
            finally:
                connection.close()
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable(
                f"Surefoot does not answer at {self.url} ({str(error) or type(error).__name__}).",
                cure="`surefoot up` starts it; users are served meanwhile.",
            ) from error
        if response.status >= _A_NO:
            raise SaidNo(response.status, _problem(text, response.status))
        return text


def daemon(environment: Mapping[str, str] = os.environ) -> Daemon:
    """The daemon of this host, or the one that the environment names. Raises `Unreachable`."""
    address = address_of(environment)
    if address is None:
        raise Unreachable(
            "No Surefoot runs on this host.",
            cure="`surefoot up` starts one, or set SUREFOOT_URL to where it is.",
        )
    token = token_of(environment)
    if token is None:
        raise Unreachable(
            "There is no token here, and Surefoot answers to none without.",
            cure="Set SUREFOOT_TOKEN to yours; who has one gives you one: `surefoot token new`.",
        )
    return Daemon(address.url, token)


def _problem(text: bytes, status: int) -> Raw:
    return _object(text) or {"title": f"This is not Surefoot's answer (HTTP {status})"}


def _object(text: bytes) -> Raw | None:
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
