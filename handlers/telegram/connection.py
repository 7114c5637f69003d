"""The bot that is running just now, if one is. It is replaced whenever the supervisor rebuilds."""

from __future__ import annotations

import asyncio

from telegram import Bot

from handlers.channel import ChannelDown


class Connection:
    def __init__(self) -> None:
        self._bot: Bot | None = None
        self._ready = asyncio.Event()

    def up(self, bot: Bot) -> None:
        self._bot = bot
        self._ready.set()

    def down(self) -> None:
        self._bot = None
        self._ready.clear()

    def bot(self) -> Bot:
        """Raises ChannelDown while there is none."""
        if self._bot is None:
            raise ChannelDown("Telegram is not connected")
        return self._bot

    async def next_bot(self) -> Bot:
        """As soon as there is one."""
        while self._bot is None:
            await self._ready.wait()
        return self._bot
