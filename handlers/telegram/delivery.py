"""Getting an answer or an alert out, and what each of Telegram's errors means for it.

RetryAfter, NetworkError, Conflict, InvalidToken ... ChannelDown: keep it, try again
Forbidden, "chat not found" ........................ ChannelDown: only the person can mend it; tell others
TimedOut ........................................... MaybeSent, unless nothing can have been sent
BadRequest ......................................... once more as plain text, then Undeliverable
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import httpx
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, Message
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from handlers.channel import ChannelDown, MaybeSent, Undeliverable
from handlers.message import Block, Line, Link, Outgoing, Reply
from handlers.telegram.incoming import PRESS_PREFIX
from handlers.telegram.render import LONGEST_CAPTION, Part, render

UNREACHABLE_AGAIN = 300.0  # seconds; a person has to press Start or unblock the bot
NEVER_SENT = (httpx.ConnectTimeout, httpx.PoolTimeout)
PLEASE_DELETE = "I could not delete your message above; delete it yourself: it holds a secret."
EDIT_IMPOSSIBLE = ("not found", "can't be edited", "no text in the message")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keyboard of one message. ``nonces`` is what its presses will carry. ``bare`` is the keyboard
    without links and ``links`` their text, for when Telegram does not like an address."""

    markup: InlineKeyboardMarkup | None = None
    nonces: frozenset[str] = frozenset()
    bare: InlineKeyboardMarkup | None = None
    links: str = ""

    def under(self, *, plain: bool) -> InlineKeyboardMarkup | None:
        return self.bare if plain else self.markup

    def text(self, part: Part, *, plain: bool) -> str:
        return part.html if not plain else f"{part.plain}\n{self.links}" if self.links else part.plain


NO_KEYS = Keys()


class Step(Protocol):
    """One call of the Bot API, made again without harm or not."""

    async def make(self, bot: Bot, *, plain: bool) -> Message | bool: ...

    @property
    def keys(self) -> Keys: ...

    @property
    def repeatable(self) -> bool:
        """Doing it twice looks like doing it once."""
        ...

    @property
    def instead(self) -> Step | None:
        """What to do when Telegram says this can't be done."""
        ...


@dataclass(frozen=True, slots=True)
class SendText:
    chat: int
    part: Part
    keys: Keys
    silent: bool
    repeatable: bool = False
    instead: Step | None = None

    async def make(self, bot: Bot, *, plain: bool) -> Message | bool:
        return await bot.send_message(
            self.chat,
            self.keys.text(self.part, plain=plain),
            parse_mode=None if plain else ParseMode.HTML,
            reply_markup=self.keys.under(plain=plain),
            disable_notification=self.silent,
        )


@dataclass(frozen=True, slots=True)
class SendPicture:
    chat: int
    png: bytes
    caption: Part | None
    keys: Keys
    silent: bool
    repeatable: bool = False
    instead: Step | None = None

    async def make(self, bot: Bot, *, plain: bool) -> Message | bool:
        caption = None if self.caption is None else self.caption.plain if plain else self.caption.html
        return await bot.send_photo(
            self.chat,
            self.png,
            caption=caption,
            parse_mode=None if plain else ParseMode.HTML,
            reply_markup=self.keys.under(plain=plain),
            disable_notification=self.silent,
        )


@dataclass(frozen=True, slots=True)
class EditText:
    """Without a keyboard in it, the edit takes the old one away."""

    chat: int
    message_id: int
    part: Part
    keys: Keys
    repeatable: bool = True

    @property
    def instead(self) -> Step:
        return SendText(self.chat, self.part, self.keys, silent=False)

    async def make(self, bot: Bot, *, plain: bool) -> Message | bool:
        return await bot.edit_message_text(
            self.keys.text(self.part, plain=plain),
            chat_id=self.chat,
            message_id=self.message_id,
            parse_mode=None if plain else ParseMode.HTML,
            reply_markup=self.keys.under(plain=plain),
        )


@dataclass(frozen=True, slots=True)
class TakeKeyboard:
    chat: int
    message_id: int
    keys: Keys = NO_KEYS
    repeatable: bool = True
    instead: Step | None = None

    async def make(self, bot: Bot, *, plain: bool) -> Message | bool:
        return await bot.edit_message_reply_markup(self.chat, self.message_id, reply_markup=None)


@dataclass(frozen=True, slots=True)
class Erase:
    """Somebody's own message, after use. A bot may delete what it was sent in a private chat for 48 hours
    (Bot API, deleteMessage); where Telegram will not, its writer is asked to."""

    chat: int
    message_id: int
    keys: Keys = NO_KEYS
    repeatable: bool = True
    instead: Step | None = None

    async def make(self, bot: Bot, *, plain: bool) -> Message | bool:
        try:
            return await bot.delete_message(self.chat, self.message_id)
        except BadRequest as error:
            if "not found" in str(error).lower():
                return True  # its writer was quicker
            return await bot.send_message(self.chat, PLEASE_DELETE, parse_mode=None)


def keyboard(outgoing: Outgoing) -> Keys:
    rows = [
        [
            InlineKeyboardButton(
                button.label, callback_data=PRESS_PREFIX + nonce, style=button.style.value or None
            )
            for button, nonce in zip(buttons, nonces, strict=True)
        ]
        for buttons, nonces in zip(outgoing.reply.buttons, outgoing.nonces, strict=True)
    ]
    links = [link for link in outgoing.reply.links if _pressable(link)]
    opening = [[InlineKeyboardButton(link.label, url=link.address)] for link in links]
    nonces = frozenset(nonce for row in outgoing.nonces for nonce in row)
    bare = InlineKeyboardMarkup(rows) if any(rows) else None
    if not opening:
        return Keys(bare, nonces, bare)
    return Keys(InlineKeyboardMarkup([*opening, *rows]), nonces, bare, "\n".join(map(_copied, links)))


def _pressable(link: Link) -> bool:
    """Telegram refuses a message with a button for an address that is not on the public net."""
    return link.address.startswith("https://")


def _copied(link: Link) -> str:
    return f"{link.label}: {link.address}"


def _blocks(reply: Reply) -> list[Block]:
    """With the links no button can open, to be copied."""
    return [*reply.blocks, *(Line(_copied(link)) for link in reply.links if not _pressable(link))]


@dataclass(frozen=True, slots=True)
class Place:
    """The pressed message the outcome belongs to: it replaces the text, or at least the keyboard goes."""

    message_id: int | None
    replace_text: bool


BELOW = Place(None, replace_text=False)


def steps(
    chat: int, outgoing: Outgoing, *, silent: bool = False, place: Place = BELOW, asked_in: int | None = None
) -> list[Step]:
    """What to call, in order. A picture can't replace a text; what its caption can't hold follows it.
    ``asked_in`` is the message that is answered; it goes if it held a secret."""
    reply, keys = outgoing.reply, keyboard(outgoing)
    made: list[Step] = []
    blocks = _blocks(reply)
    parts = render(blocks) if blocks or reply.picture is None else []
    edit = place.message_id if place.replace_text and reply.picture is None else None
    if place.message_id is not None and edit is None:
        made.append(TakeKeyboard(chat, place.message_id))
    if reply.picture is not None:
        short = render(blocks, LONGEST_CAPTION) if blocks else []
        caption = short[0] if len(short) == 1 else None
        parts = [] if caption else parts
        made.append(SendPicture(chat, reply.picture, caption, NO_KEYS if parts else keys, silent))
    for number, part in enumerate(parts, 1):
        own = keys if number == len(parts) else NO_KEYS  # the keyboard belongs below the end
        if number == 1 and edit is not None:
            made.append(EditText(chat, edit, part, own))
        else:
            made.append(SendText(chat, part, own, silent))
    if outgoing.erase and asked_in is not None:
        made.append(Erase(chat, asked_in))  # behind the answer, which must not wait for it
    return made


class Delivery:
    """Steps in order; after an error, ``run`` again goes on where it stopped."""

    def __init__(self, steps: Sequence[Step], shown: Callable[[int, int, frozenset[str]], None]) -> None:
        self._steps, self._shown = list(steps), shown
        self.begun = False

    @property
    def finished(self) -> bool:
        return not self._steps

    async def run(self, bot: Bot, seconds: float) -> None:
        """Each step within ``seconds``. Raises ChannelDown, MaybeSent or Undeliverable."""
        while self._steps:
            step = self._steps[0]
            try:
                message = await _perform(step, bot, seconds)
            except (MaybeSent, Undeliverable):
                self._steps.pop(0)  # done with, one way or the other
                raise
            self._steps.pop(0)
            self.begun = True
            if isinstance(message, Message):
                self._shown(message.chat_id, message.message_id, step.keys.nonces)


async def _perform(step: Step, bot: Bot, seconds: float) -> Message | bool:
    with _in_our_words(step):
        async with asyncio.timeout(seconds):
            try:
                return await step.make(bot, plain=False)
            except BadRequest as error:
                words = str(error).lower()
                if "not modified" in words:
                    return True
                if "chat not found" in words:
                    raise
                if step.instead is not None and any(known in words for known in EDIT_IMPOSSIBLE):
                    return await step.instead.make(bot, plain=False)
                return await step.make(bot, plain=True)


@contextmanager
def _in_our_words(step: Step) -> Iterator[None]:
    try:
        yield
    except RetryAfter as error:
        raise ChannelDown("Telegram asks for a pause", _seconds(error)) from error
    except (TimedOut, TimeoutError) as error:
        if step.repeatable or isinstance(error.__cause__, NEVER_SENT):
            raise ChannelDown("Telegram did not answer in time") from error
        raise MaybeSent("Telegram did not answer in time; it may have arrived") from error
    except Forbidden as error:
        raise ChannelDown("The bot is blocked by its recipient", UNREACHABLE_AGAIN, shut=True) from error
    except BadRequest as error:  # before its parent NetworkError, which is worth retrying
        if "chat not found" in str(error).lower():
            raise ChannelDown("They have not pressed Start yet", UNREACHABLE_AGAIN, shut=True) from error
        raise Undeliverable(f"Telegram refuses the message: {error}") from error
    except ChatMigrated as error:
        raise Undeliverable("The chat has become another one") from error
    except TelegramError as error:
        raise ChannelDown(f"Telegram can't be used: {type(error).__name__}") from error


def _seconds(error: RetryAfter) -> float:
    asked = error.retry_after
    return float(asked) if isinstance(asked, int | float) else asked.total_seconds()
