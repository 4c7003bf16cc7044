"""Fetching the metrics pages of a service's instances, all at once."""

import asyncio
from collections.abc import Iterable, Mapping

import aiohttp

from surefoot.domain.manifest import Address

__all__ = ["Pages"]

_ANSWER_S = 0.8  # well under a tick
_LARGEST_BYTES = 16_000_000  # more is no metrics page, and is not parsed
_HEADERS = {"Accept": "text/plain; version=0.0.4", "Accept-Encoding": "identity"}


class Pages:
    """One HTTP client for all pages; connections are kept alive between looks."""

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, addresses: Iterable[Address], path: str) -> Mapping[Address, str]:
        """The pages of those instances that answered 200 within 0.8 s."""
        wanted = tuple(dict.fromkeys(addresses))
        texts = await asyncio.gather(*(self._page(address, path) for address in wanted))
        pairs = zip(wanted, texts, strict=True)
        return {address: text for address, text in pairs if text is not None}

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _page(self, address: Address, path: str) -> str | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=_ANSWER_S),
                headers=_HEADERS,
                auto_decompress=False,
            )
        try:
            async with self._session.get(
                f"http://{address}{path}", allow_redirects=False
            ) as answer:
                if answer.status != 200:  # noqa: PLR2004 -- HTTP's OK
                    return None
                return await _limited(answer.content)
        except (aiohttp.ClientError, OSError):  # a timeout is an OSError
            return None


async def _limited(content: aiohttp.StreamReader) -> str | None:
    page = bytearray()
    async for chunk in content.iter_any():
        page += chunk
        if len(page) > _LARGEST_BYTES:
            return None
    return page.decode(errors="replace")
