"""Which of the library's errors mean that a message may be out, and which that it can't be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, InvalidToken, NetworkError, TelegramError, TimedOut

from handlers.channel import ChannelDown, MaybeSent, Undeliverable
from handlers.telegram.delivery import NO_KEYS, Delivery, Keys
from handlers.telegram.settings import TelegramSettings


@dataclass
class Failing:
    error: TelegramError
    cause: Exception | None = None
    repeatable: bool = False
    keys: Keys = NO_KEYS
    instead: None = None
    made: int = 0

    async def make(self, bot: Bot, *, plain: bool) -> bool:
        self.made += 1
        raise self.error from self.cause


@pytest.mark.parametrize(
    ("step", "meaning", "tries"),
    [
        (Failing(TimedOut()), MaybeSent, 1),
        (Failing(TimedOut(), httpx.ReadTimeout("")), MaybeSent, 1),
        (Failing(TimedOut(), httpx.ConnectTimeout("")), ChannelDown, 1),
        (Failing(TimedOut(), httpx.PoolTimeout("")), ChannelDown, 1),
        (Failing(TimedOut(), repeatable=True), ChannelDown, 1),
        (Failing(NetworkError("x")), ChannelDown, 1),
        (Failing(InvalidToken("x")), ChannelDown, 1),
        (Failing(BadRequest("x")), Undeliverable, 2),
        (Failing(ChatMigrated(-5)), Undeliverable, 1),
    ],
)
async def test_an_error_says_whether_to_keep_the_message(
    step: Failing, meaning: type[Exception], tries: int
) -> None:
    delivery = Delivery([step], lambda *shown: None)
    with pytest.raises(meaning):
        await delivery.run(cast(Any, None), seconds=1)
    assert step.made == tries
    assert delivery.finished is (meaning is not ChannelDown)


def test_settings_without_an_owner_are_refused() -> None:
    with pytest.raises(ValueError, match="TELEGRAM_OWNER_IDS"):
        TelegramSettings("123456:x", ())


def test_settings_do_not_show_their_token() -> None:
    assert "verysecret" not in repr(TelegramSettings("123456:verysecret", (1,)))
