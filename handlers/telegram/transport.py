"""From an update to the dispatcher and back to the chat.

Handlers only start a task of ours and return, so no command waits for another one, /kill least of all, and a
slow one neither blocks the library's stop nor dies with a rebuild: its answer goes out through the next bot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from telegram import CallbackQuery, Message, Update
from telegram.error import BadRequest, TelegramError
from telegram.ext import Application, CallbackQueryHandler, MessageHandler, filters

from handlers.channel import ChannelDown, MaybeSent, Undeliverable
from handlers.message import Incoming, Outgoing, say
from handlers.telegram.connection import Connection
from handlers.telegram.delivery import BELOW, Delivery, Place, Step, steps
from handlers.telegram.incoming import read_update
from handlers.telegram.keyboards import Claim, Keyboards
from handlers.telegram.settings import Dispatch, Pace

log = logging.getLogger(__name__)
CANCELLING = 0.5  # seconds a cancelled command may take to let go
PRESSES_KEPT = timedelta(seconds=150)  # Telegram's server forgets a press after that (Client.cpp)


class Transport:
    """Lives as long as the service; each new Application gets its handlers from ``register``."""

    def __init__(
        self,
        dispatch: Dispatch,
        known_ids: tuple[int, ...],
        connection: Connection,
        keyboards: Keyboards,
        pace: Pace,
        now: Callable[[], datetime],
        heard: Callable[[int], None],
        unanswered: Callable[[Incoming], None],
    ) -> None:
        self._dispatch, self._known_ids, self._connection = dispatch, frozenset(known_ids), connection
        self._keyboards, self._pace, self._now, self._heard = keyboards, pace, now, heard
        self._unanswered = unanswered
        self._answering: set[asyncio.Task[None]] = set()

    def register(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """The user filter is the second lock behind the gate."""
        known = filters.User(user_id=list(self._known_ids))
        application.add_handler(MessageHandler(known, self._on_message))
        application.add_handler(CallbackQueryHandler(self._on_press))

    async def settle(self, seconds: float) -> None:
        """Let answers under way finish for so long, then drop them."""
        if self._answering:
            await asyncio.wait(self._answering, timeout=seconds)
        late = set(self._answering)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCELLING)

    async def _on_message(self, update: Update, context: object) -> None:
        incoming = read_update(update, self._now())
        if incoming is not None:
            self._heard(incoming.user_id)
            shown = update.effective_message
            self._start(self._answer(incoming, shown.message_id if shown is not None else None))

    async def _on_press(self, update: Update, context: object) -> None:
        incoming = read_update(update, self._now())
        if incoming is None or update.callback_query is None or incoming.user_id not in self._known_ids:
            return  # filters do not apply to presses: this is their second lock
        self._heard(incoming.user_id)
        self._start(self._answer_press(incoming, update.callback_query))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._answering.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._answering.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("Answering went wrong", exc_info=error)

    async def _answer(self, incoming: Incoming, message_id: int | None) -> None:
        outgoing = await self._run(incoming)
        if outgoing is not None:
            await self._send(
                incoming, steps(incoming.chat_id, outgoing, asked_in=message_id), outgoing.course
            )

    async def _answer_press(self, incoming: Incoming, query: CallbackQuery) -> None:
        """Stop the button's spinner first. If Telegram says it is too late for that, the press is as old as
        presses get, or one we have had before; the dispatcher can tell by the time and by the source id."""
        if await self._is_too_old(query):
            incoming = replace(incoming, sent_at=incoming.received_at - PRESSES_KEPT)
        place = self._place(incoming, query)
        outgoing = await self._run(incoming)
        if outgoing is not None:
            await self._send(incoming, steps(incoming.chat_id, outgoing, place=place), outgoing.course)

    async def _send(
        self, incoming: Incoming, answer: list[Step], course: AsyncIterator[Outgoing] | None
    ) -> None:
        """Edit the answer's own message as it goes on; where that is gone, what follows comes below. How far
        something was may be lost, but not what it came to."""
        shown, arrived = await self._deliver(answer)
        if course is not None:
            async for outgoing in course:
                place = BELOW if shown is None else Place(shown, replace_text=True)
                newer, arrived = await self._deliver(steps(incoming.chat_id, outgoing, place=place))
                shown = newer or shown
        if not arrived:
            self._unanswered(incoming)

    async def _is_too_old(self, query: CallbackQuery) -> bool:
        try:
            async with asyncio.timeout(self._pace.acknowledge):
                await query.answer()
        except BadRequest:
            return True
        except (TelegramError, TimeoutError) as error:
            log.info("A press could not be acknowledged: %s", type(error).__name__)
        return False

    def _place(self, incoming: Incoming, query: CallbackQuery) -> Place:
        """The pressed message itself where possible. What somebody else sees, too, is left alone."""
        shown = query.message
        if not isinstance(shown, Message) or incoming.chat_id != incoming.user_id:
            return BELOW
        claim = self._keyboards.claim(incoming.chat_id, shown.message_id, incoming.text)
        if claim is Claim.LATE:
            return BELOW
        return Place(shown.message_id, replace_text=claim is Claim.OURS and bool(shown.text))

    async def _run(self, incoming: Incoming) -> Outgoing | None:
        try:
            return await self._dispatch(incoming)
        except Exception:
            reference = uuid4().hex[:6]  # exception texts may hold secrets: they stay in the log
            log.exception("Command %s failed (reference %s)", incoming.source_id, reference)
            return Outgoing(
                say(
                    f"Something went wrong inside (reference {reference}).",
                    "It may have been carried out in part: look at /status before sending it again.",
                )
            )

    async def _deliver(self, answer: list[Step]) -> tuple[int | None, bool]:
        """Through whichever bot is running, until it is out or hopeless. The message it is in, if known, and
        whether time was enough for it."""
        last: int | None = None

        def shown(chat: int, message_id: int, nonces: frozenset[str]) -> None:
            nonlocal last
            last = message_id
            self._keyboards.shows(chat, message_id, nonces)

        delivery = Delivery(answer, shown)
        pause = self._pace.backoff_first
        try:
            async with asyncio.timeout(self._pace.answer_within):
                while not delivery.finished:
                    bot = await self._connection.next_bot()
                    try:
                        await delivery.run(bot, self._pace.request)
                    except ChannelDown as down:
                        await asyncio.sleep(max(pause, down.retry_after or 0))
                        pause = min(2 * pause, self._pace.backoff_most)
                    except (MaybeSent, Undeliverable) as error:
                        log.warning("Part of an answer: %s", error)
        except TimeoutError:
            log.warning("An answer could not be delivered within %s s", self._pace.answer_within)
            return last, False
        return last, True
