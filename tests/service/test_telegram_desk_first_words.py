"""The desk is up before its owner has pressed Start, which Telegram asks of all a bot is to write to."""

from __future__ import annotations

from pathlib import Path

from sandbox.botapi import BotApiServer
from tests.service.telegram_desk import OWNER, PATIENCE, TOKEN, TelegramDesk


async def test_an_owner_who_presses_start_late_hears_at_once_what_waited(
    tmp_path: Path,
) -> None:
    async with BotApiServer(token=TOKEN) as server:
        server.strangers_to_bot.add(OWNER)
        desk = TelegramDesk(tmp_path, server)
        await desk.start()
        try:
            await server.wait_for(lambda: server.count("sendMessage"), PATIENCE)
            assert server.replies(OWNER) == []
            await desk.ask("/start")
            await desk.alert("Mon 23 Nov 2026: ready")
            await desk.flat()
        finally:
            await desk.kill()
