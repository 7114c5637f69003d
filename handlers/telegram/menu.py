"""The command menu each known person sees; strangers see none."""

from __future__ import annotations

import asyncio
import logging

from telegram import BotCommandScopeChat
from telegram.error import TelegramError

from handlers.telegram.connection import Connection
from handlers.telegram.settings import Menu

log = logging.getLogger(__name__)
PATIENCE = 15.0  # seconds for one call
SELDOM = 3600.0  # seconds between tries, at most


async def publish_menu(connection: Connection, user_ids: tuple[int, ...], menu: Menu, again: float) -> None:
    """Never fatal: it can't succeed before the person has pressed Start, so it is tried until it does."""
    missing = set(user_ids)
    cleared = False
    while missing or not cleared:
        bot = await connection.next_bot()
        try:
            async with asyncio.timeout(PATIENCE):
                cleared = cleared or await bot.delete_my_commands()
        except (TelegramError, TimeoutError) as error:
            log.info("The default command menu could not be cleared: %s", type(error).__name__)
        for user_id in sorted(missing):
            try:
                async with asyncio.timeout(PATIENCE):
                    await bot.set_my_commands(list(menu(user_id)), scope=BotCommandScopeChat(user_id))
            except (TelegramError, TimeoutError) as error:
                log.info("No command menu for %s yet: %s", user_id, type(error).__name__)
            else:
                missing.discard(user_id)
        if missing or not cleared:
            await asyncio.sleep(again)
            again = min(2 * again, SELDOM)
