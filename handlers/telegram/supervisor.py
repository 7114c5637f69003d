"""Keeps a bot polling, whatever happens to it, and never lets it hurt the rest of the desk.

One life: build a fresh Application, start it, watch the poll clock, and take it down again when the stop
event is set, when no poll has succeeded for a minute, or when Telegram has refused the token. Then the next.
Restarting the same Updater instead would give a bot that runs but hears nothing (measured with 22.8).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

from telegram import LinkPreviewOptions, Update
from telegram.constants import ParseMode
from telegram.error import Conflict, TelegramError
from telegram.ext import Application, ApplicationBuilder, Defaults, Updater
from telegram.request import HTTPXRequest

from handlers.message import Incoming
from handlers.telegram.channel import TelegramChannel
from handlers.telegram.connection import Connection
from handlers.telegram.gate import Gate
from handlers.telegram.keyboards import Keyboards
from handlers.telegram.menu import publish_menu
from handlers.telegram.poll import PollClock
from handlers.telegram.quiet import quiet_libraries
from handlers.telegram.settings import Dispatch, Hooks, Menu, Pace, TelegramSettings, WithNonces, wall_now
from handlers.telegram.transport import Transport
from trader.domain.times import IST

log = logging.getLogger(__name__)
AnyApplication = Application[Any, Any, Any, Any, Any, Any]
WANTED = [Update.MESSAGE, Update.EDITED_MESSAGE, Update.CALLBACK_QUERY]  # edits: to say that they are not run


class TelegramService:
    """``run`` it beside the desk; give ``channel`` to the notifier."""

    def __init__(
        self,
        settings: TelegramSettings,
        dispatch: Dispatch,
        *,
        hooks: Hooks | None = None,
        menu: Menu | None = None,
        with_nonces: WithNonces | None = None,
        pace: Pace | None = None,
        now: Callable[[], datetime] = wall_now,
    ) -> None:
        self._settings, self._dispatch = settings, dispatch
        self._hooks, self._menu, self._pace, self._now = hooks or Hooks(), menu, pace or Pace(), now
        self._connection, keyboards = Connection(), Keyboards()
        self._transport = Transport(
            dispatch,
            settings.known_ids,
            self._connection,
            keyboards,
            self._pace,
            now,
            self._heard,
            self._unanswered,
        )
        self.channel = TelegramChannel(
            settings.alerted_ids, self._connection, keyboards, self._pace, with_nonces
        )
        self._conflict_at: float | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; then within 8 seconds. Raises nothing but cancellation."""
        quiet_libraries()
        menu = self._start_menu()
        pause = self._pace.backoff_first
        try:
            while not stop.is_set():
                clock = PollClock(self._pace.http, self._unreadable)
                try:
                    await self._live(clock, stop)
                except _Stopped:
                    return
                except Exception as error:  # whatever it is, the next life may be better
                    log.warning("Telegram failed: %s", type(error).__name__)
                pause = self._pace.backoff_first if clock.good else pause
                await _set_within(stop, pause)
                pause = min(2 * pause, self._pace.backoff_most)
        finally:
            if menu is not None:
                menu.cancel()
            await self._transport.settle(0)

    async def _live(self, clock: PollClock, stop: asyncio.Event) -> None:
        application = self._build(clock)
        async with AsyncExitStack() as stack:
            leave = self._leave
            stack.push_async_callback(leave, application.bot.shutdown, self._pace.stop_rest)
            stack.push_async_callback(leave, application.shutdown, self._pace.stop_rest)
            await _unless(stop, application.initialize(), self._pace.request)
            stack.push_async_callback(self._leave_connection, stop)
            stack.push_async_callback(leave, application.stop, self._pace.stop_rest)
            await _unless(stop, application.start(), self._pace.request)
            updater = application.updater
            assert updater is not None  # noqa: S101 - the builder made one; mypy can't know
            stack.push_async_callback(leave, updater.stop, self._pace.stop_poll)
            await _unless(stop, self._start_polling(updater), self._pace.request)
            clock.last_good = time.monotonic()
            self._connection.up(application.bot)
            log.info("Telegram is connected")
            await self._watch(clock, stop)

    async def _start_polling(self, updater: Updater) -> None:
        await updater.start_polling(
            poll_interval=self._pace.poll_pause,
            timeout=timedelta(seconds=self._pace.poll),
            allowed_updates=WANTED,
            drop_pending_updates=False,  # with True a /kill sent during a restart would be lost
            error_callback=self._poll_failed,
        )

    async def _watch(self, clock: PollClock, stop: asyncio.Event) -> None:
        while not await _set_within(stop, self._pace.look):
            if clock.fatal is not None:
                log.warning("Telegram answered a poll with %s: rebuilding", clock.fatal)
                return
            if time.monotonic() - clock.last_good > self._pace.silence:
                log.warning("No good poll for %s s: rebuilding", self._pace.silence)
                return

    async def _leave_connection(self, stop: asyncio.Event) -> None:
        """Nothing more comes in. When stopping, answers under way still go out through this bot."""
        if stop.is_set():
            await self._transport.settle(self._pace.stop_answers)
        self._connection.down()

    async def _leave(self, step: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
        """One step of the way down, within its time. It raises nothing: the steps below must run, too.

        ``Updater.stop`` raises what the poll task died of, swallows one cancellation and then polls again;
        hence several.
        """
        task = asyncio.create_task(step())
        await asyncio.wait({task}, timeout=seconds)
        for _ in range(5):
            if task.done():
                break
            task.cancel()
            await asyncio.wait({task}, timeout=0.1)
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            log.info("Leaving Telegram: %s", type(error).__name__)

    def _build(self, clock: PollClock) -> AnyApplication:
        root, seconds = self._settings.api_url.rstrip("/"), self._pace.http
        gate = Gate(self._dispatch.allows, self._hooks.on_refused, self._now)
        defaults = Defaults(
            parse_mode=ParseMode.HTML,
            tzinfo=IST,
            link_preview_options=LinkPreviewOptions(is_disabled=True),
        )
        application = (
            ApplicationBuilder()
            .token(self._settings.token)
            .base_url(f"{root}/bot")
            .base_file_url(f"{root}/file/bot")
            .get_updates_request(clock)
            .request(HTTPXRequest(connect_timeout=seconds, read_timeout=seconds, write_timeout=seconds))
            .concurrent_updates(gate)
            .job_queue(None)
            .defaults(defaults)
            .build()
        )
        self._transport.register(application)
        return application

    def _start_menu(self) -> asyncio.Task[None] | None:
        if self._menu is None:
            return None
        work = publish_menu(self._connection, self._settings.known_ids, self._menu, self._pace.menu_again)
        task = asyncio.create_task(work)
        task.add_done_callback(_log_failure)
        return task

    def _poll_failed(self, error: TelegramError) -> None:
        """Called by the library, which must never see this raise."""
        log.info("A poll failed: %s", type(error).__name__)
        if not isinstance(error, Conflict):
            return
        now = time.monotonic()
        if self._conflict_at is None or now - self._conflict_at > self._pace.conflict_again:
            self._conflict_at = now
            _call(self._hooks.on_conflict, "Another program receives this bot's messages (409 Conflict)")

    def _heard(self, user_id: int) -> None:
        _call(self._hooks.on_heard, user_id)

    def _unanswered(self, incoming: Incoming) -> None:
        _call(self._hooks.on_unanswered, incoming)

    def _unreadable(self, update_id: int) -> None:
        _call(self._hooks.on_unreadable, update_id)


class _Stopped(Exception):
    """The stop event was set meanwhile."""


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, Any], seconds: float) -> None:
    """Do the work. Raises _Stopped as soon as the event is set, TimeoutError after ``seconds``: the library's
    own limits are per read, and an answer that trickles in byte by byte never meets them."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopped}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise _Stopped if stopped.done() else TimeoutError
        task.result()
    finally:
        for one in (task, stopped):
            one.cancel()
        await asyncio.wait({task, stopped})


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _call(hook: Callable[[Any], None], what: object) -> None:
    try:
        hook(what)
    except Exception:
        log.exception("A hook failed")


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("The command menu could not be published", exc_info=error)
