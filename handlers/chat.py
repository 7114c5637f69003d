"""The chat of a desk: the dispatcher, the notifier and one transport, joined to its house."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from trader import VERSION
from trader.domain.times import IST
from trader.service.settings import Settings

if TYPE_CHECKING:
    from handlers.channel import Channel
    from handlers.console import Console
    from handlers.dispatch import Dispatcher
    from handlers.notifier import Notifier
    from handlers.registry import Command, Registry
    from handlers.screen import Screen
    from handlers.telegram.supervisor import TelegramService
    from trader.service.opening import House

log = logging.getLogger("munim")

LAST_WORDS = 5.0  # seconds the last alerts get to leave
HANG_UP = 2.5  # seconds Telegram gets to let go
FAMILIAR = ("RELIANCE", "TCS")  # what the banner suggests, where the market has them


class Chat:
    """The notifier, the dispatcher and one transport: Telegram when there is a token, else the terminal."""

    notifier: Notifier
    _dispatcher: Dispatcher
    _registry: Registry

    def __init__(self, settings: Settings, commands: Sequence[Command] = ()) -> None:
        self._settings = settings
        self._commands = commands
        self._telegram: TelegramService | None = None
        self._console: Console | None = None
        self._screen: Screen | None = None
        self._booted_at = datetime.now(IST)
        self._joined = False
        self._untold = False
        self._hang_up = asyncio.Event()  # Telegram stays until the last alerts are out
        self._talking: asyncio.Task[None] | None = None
        if not settings.bot_token:
            from handlers.screen import screen_of

            self._screen = screen_of(sys.stdin, sys.stdout)

    @property
    def scripted(self) -> bool:
        """Commands come from a pipe or a file, so the market can wait for them."""
        return self._screen is not None and not self._screen.interactive

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody alerts go to, as the channels will name them."""
        if self._screen is not None:
            return ("terminal",)
        return tuple(f"tg:{user_id}" for user_id in self._settings.owner_ids)

    def wake(self) -> None:
        self._untold = True
        if self._joined and not self.scripted:
            self.notifier.wake()

    async def told(self) -> None:
        """A script's alerts are printed when a moment of its market is over, and then only, so that they
        come out the same every time."""
        if self._untold and self._joined:
            self._untold = False
            await self.notifier.drain(LAST_WORDS)

    def join(self, house: House) -> None:
        """Make the chat of this house."""
        from handlers.commands import build_registry
        from handlers.dispatch import Dispatcher
        from handlers.house import House as ChatHouse
        from handlers.policy import Policy

        settings = self._settings
        self._registry = build_registry(ChatHouse(mute=self._mute, now=_wall_now), self._commands)
        policy = Policy(
            frozenset(settings.owner_ids), frozenset(settings.viewer_ids), terminal=self._screen is not None
        )

        async def tell(title: str, body: str) -> None:
            await house.front.tell(title, body)
            self.wake()

        self._dispatcher = Dispatcher(
            self._registry, house.front, policy, booted_at=self._booted_at, tell_owner=tell
        )
        if self._screen is None:
            self._join_telegram(house)
        else:
            self._join_terminal(house, self._screen)
        self._joined = True
        self.notifier.wake()

    def _join_terminal(self, house: House, screen: Screen) -> None:
        from handlers.completion import words_of
        from handlers.console import Console
        from handlers.screen import ConsoleChannel

        self._console = Console(
            self._dispatcher, screen, now=_wall_now, words=words_of(self._registry, house.front)
        )
        self.notifier = self._notifier(house, ConsoleChannel(screen))

    @staticmethod
    def _notifier(house: House, channel: Channel) -> Notifier:
        from handlers.notifier import Notifier

        return Notifier(house.store, channel, market_now=house.clock.now, unrecorded=house.service.unrecorded)

    def _join_telegram(self, house: House) -> None:
        from handlers.telegram.settings import Hooks, TelegramSettings
        from handlers.telegram.supervisor import TelegramService

        settings = self._settings
        self._telegram = TelegramService(
            TelegramSettings(
                str(settings.bot_token), settings.owner_ids, settings.viewer_ids, settings.telegram_api_url
            ),
            self._dispatcher,
            hooks=Hooks(
                on_conflict=lambda reason: house.service.fault(
                    house.clock.now(), "second_bot", f"{reason}: a second desk may be trading."
                ),
                on_heard=lambda user_id: self.notifier.heard(f"tg:{user_id}"),
                on_unanswered=self._dispatcher.unanswered,
            ),
            menu=self._dispatcher.menu,
            with_nonces=self._dispatcher.offer,
        )
        self.notifier = self._notifier(house, self._telegram.channel)

    def _mute(self, until: datetime | None) -> None:
        self.notifier.mute(until)

    async def converse(self, house: House, stop: asyncio.Event) -> None:
        """Until the input ends or the process is told to stop."""
        await self._keep_mute(house)
        if self._telegram is not None:
            log.info("Munim %s is up; chat is on Telegram", VERSION)
            self._talking = asyncio.create_task(self._telegram.run(self._hang_up))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({self._talking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            return
        assert self._console is not None  # noqa: S101 - without Telegram there is a terminal
        assert self._screen is not None  # noqa: S101 - and its screen
        from handlers.banner import banner

        known = [name for name in FAMILIAR if house.front.search(name, 1)]
        symbols = ",".join(known) or next((i.symbol for i in house.front.instruments()), "")
        tries = (f"/start_strategy ema_crossover {symbols} 1m", "/positions", "/kill")
        self._screen.show(banner(house.front.about(), house.front.view(), tries))
        if self.scripted:
            await self.told()  # what was to be said before the market moves: that today is a holiday
        talking = asyncio.ensure_future(self._console.run())
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({talking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (talking, stopping):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep_mute(self, house: House) -> None:
        from handlers.house import MUTE_SETTING

        if kept := await house.front.setting(MUTE_SETTING):
            self._mute(datetime.fromisoformat(kept))

    async def last_words(self, seconds: float | None) -> None:
        """Give the last alerts ``seconds`` to leave, or as long as is usual."""
        await self.notifier.drain(LAST_WORDS if seconds is None else seconds)

    async def farewell(self, house: House) -> None:
        """Let go of Telegram; or say what a replay was worth, in speed."""
        if self._talking is not None:
            self._hang_up.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HANG_UP):
                    await self._talking
        played = house.pump.played
        if self._screen is not None and self._settings.speed is None and played.seconds:
            what, count = ("bars", played.bars) if played.bars else ("ticks", played.ticks)
            rate = count / played.seconds
            # Not to standard output: what a replay prints there is the same every time.
            print(  # noqa: T201 - a line for whoever watches
                f"Played {count:,} {what} in {played.seconds:.2f} s: {rate:,.0f} {what}/s.", file=sys.stderr
            )


def _wall_now() -> datetime:
    return datetime.now(IST)
