"""A local Telegram Bot API: the part a bot uses, the people it talks to, and faults on demand."""

from sandbox.botapi.chat import Button, ShownMessage
from sandbox.botapi.server import BotApiServer

__all__ = ["BotApiServer", "Button", "ShownMessage"]
