"""Tasks that last as long as the desk: one that dies halts it, is told, and begins again.

A market without its task would move no clock: nothing would be squared off, and a kill never reported.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

# Seconds before it begins again, doubling; one that lived for longer than MOST is as new.
FIRST, MOST = 1.0, 60.0


async def lasting(
    name: str,
    work: Callable[[], Awaitable[None]],
    died: Callable[[str], None],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Until ``work`` ends by itself. ``died`` hears in a sentence of each time it raised."""
    loop, pause = asyncio.get_running_loop(), FIRST
    while True:
        began = loop.time()
        try:
            await work()
        except Exception as error:
            log.critical("the %s task died", name, exc_info=error)
            died(f"The {name} task died: {type(error).__name__}. It begins again.")
        else:
            return
        pause = FIRST if loop.time() - began > MOST else pause
        await sleep(pause)
        pause = min(2 * pause, MOST)
