"""Stand in for Telegram in a terminal: ``python -m sandbox.botapi``.

Point a bot at the address it prints. Lines typed here are sent to the bot; ``!Flatten`` presses that button
under the newest message that has it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from sandbox.botapi.chat import ShownMessage
from sandbox.botapi.server import BotApiServer


async def talk(port: int, user_id: int) -> None:
    async with BotApiServer(port=port) as server:
        _print(f"TELEGRAM_API_URL={server.base_url}")
        _print(f"TELEGRAM_BOT_TOKEN={server.token}")
        _print(f"TELEGRAM_OWNER_IDS={user_id}")
        showing = asyncio.create_task(_show(server, user_id))
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        while line := (await lines.readline()).decode():
            _type(server, user_id, line.strip())
        showing.cancel()


def _type(server: BotApiServer, user_id: int, line: str) -> None:
    if not line.startswith("!"):
        if line:
            server.say(user_id, line, name="You")
        return
    for shown in reversed(server.replies(user_id)):
        try:
            server.press(shown.message_id, line[1:])
        except LookupError:
            continue
        return
    _print(f"No message shows a button {line[1:]!r}")


async def _show(server: BotApiServer, user_id: int) -> None:
    """Print what is new or edited, whenever something is."""
    printed: dict[int, str] = {}

    def news() -> list[tuple[ShownMessage, str]]:
        looks = [(shown, _look(shown)) for shown in server.replies(user_id)]
        return [(shown, look) for shown, look in looks if printed.get(shown.message_id) != look]

    while True:
        for shown, look in await server.changes.until(news, None):
            _print("\n" + ("(edited) " if shown.message_id in printed else "") + look)
            printed[shown.message_id] = look


def _look(shown: ShownMessage) -> str:
    picture = f"[picture, {len(shown.photo)} bytes]\n" if shown.photo else ""
    buttons = "".join("\n  " + "  ".join(f"[{label}]" for label in row) for row in shown.labels)
    return picture + shown.text + buttons


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A local Telegram Bot API with one person in it")
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--user", type=int, default=4711, help="that person's numeric id")
    given = parser.parse_args()
    asyncio.run(talk(given.port, given.user))
