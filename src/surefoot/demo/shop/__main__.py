"""`python -m shop` serves on PORT until it is told to stop."""

import asyncio
import os
import signal

from .app import Shop
from .server import Connection

LAST_ANSWERS_S = 5.0


async def serve() -> None:
    """Answer until SIGTERM, and whoever has asked by then."""
    shop = Shop()
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    server = await loop.create_server(
        lambda: Connection(shop.answer), "127.0.0.1", int(os.environ["PORT"])
    )
    await told.wait()
    server.close()
    asked = asyncio.all_tasks() - {asyncio.current_task()}
    if asked:
        await asyncio.wait(asked, timeout=LAST_ANSWERS_S)


if __name__ == "__main__":
    asyncio.run(serve())
