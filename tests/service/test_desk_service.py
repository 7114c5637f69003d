"""The shell: no commit, no send; one writer; nothing that fails around the desk goes unnoticed."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from tests.service.whole_house import MINUTE, running
from trader.desk.commands import Kill, Pause, Resume, StartStrategy
from trader.domain.instrument import Segment
from trader.domain.order import OrderState, Purpose
from trader.domain.records import DeskMode
from trader.service.settings import read_settings

START = StartStrategy("ema_crossover", ("TCS", "SBIN"), "1m")


async def test_an_intent_that_was_not_recorded_is_not_sent_and_the_desk_halts() -> None:
    async with running() as desk:
        await desk.ask(START, "1")
        await desk.wait(timedelta(seconds=1))  # the checklist that is overdue is written
        while not await desk.store.orders():
            desk.store.fail_next_commit = True
            await desk.wait(timedelta(seconds=1))
            if desk.house.front.view().latch.mode is DeskMode.HALTED:
                break
        view = desk.house.front.view()
        assert view.latch.mode is DeskMode.HALTED
        assert view.latch.code == "ledger_failed"
        assert (await desk.journal.load()).orders == ()
        await desk.wait(MINUTE)
        # What the failed commit should have written went with the next one.
        written = await desk.store.orders()
        assert [(o.purpose, o.state) for o in written if o.purpose is Purpose.ENTRY] in (
            [(Purpose.ENTRY, OrderState.NOT_PLACED)],
            [(Purpose.ENTRY, OrderState.NOT_PLACED)] * 2,
        )
        assert all("not sent" in o.message for o in written)
        assert (await desk.store.load()).latch == view.latch


async def test_while_the_ledger_fails_resume_does_not_say_active() -> None:
    why = "The ledger cannot be written: Nothing was recorded: as a test wanted"
    async with running() as desk:
        await desk.ask(Pause(), "1")
        desk.store.full = True
        answer = await desk.ask(Resume(), "2")  # the first to fail
        assert answer.text.splitlines()[1:] == [why, "The desk enters nothing before it can, and /resume."]
        await desk.wait(timedelta(seconds=1))
        answer = await desk.ask(Resume(), "3")
        assert (answer.ok, answer.text) == (False, f"Not resumed. {why}")
        await desk.wait(timedelta(seconds=1))
        latch = desk.house.front.view().latch
        assert (latch.mode, latch.code, latch.reason) == (DeskMode.HALTED, "ledger_failed", why)
        desk.store.full = False
        answer = await desk.ask(Resume(), "4")
        assert answer.text == "ACTIVE: trading again. 0 strategies running."
        assert (await desk.store.load()).latch.mode is DeskMode.ACTIVE


async def test_a_broker_that_cannot_write_the_order_down_has_refused_it() -> None:
    async with running() as desk:
        await desk.ask(START, "1")
        desk.journal.fail_next_append = True
        await desk.wait(15 * MINUTE)
        assert (await desk.orders())[0] == "entry REJECTED"
        titles = [p.alert.title for p in await desk.store.pending_alerts(["somebody"])]
        assert any(title.startswith("Rejected by the broker") for title in titles)


async def test_the_same_command_sent_twice_at_once_acts_once_and_is_answered_twice() -> None:
    async with running() as desk:
        first, second = await asyncio.gather(desk.ask(START, "7"), desk.ask(START, "7"))
        assert first.ok
        assert second.ok
        assert len(desk.house.front.view().instances) == 1


async def test_a_clean_end_is_restored_as_it_was() -> None:
    async with running() as desk:
        await desk.ask(START, "1")
        await desk.wait(20 * MINUTE)
        before = desk.house.front.view()
        assert before.positions
        await desk.house.close()
    async with running(desk.store, desk.journal) as again:
        after = again.house.front.view()
        assert after.latch.mode is DeskMode.ACTIVE
        assert [(p.owner, p.key, p.quantity, p.average_price, p.stop) for p in after.positions] == [
            (p.owner, p.key, p.quantity, p.average_price, p.stop) for p in before.positions
        ]
        assert [o.tag for o in after.orders] == [o.tag for o in before.orders]
        assert after.pnl.realised == before.pnl.realised
        await again.wait(40 * MINUTE)
        assert len(await again.store.fills()) > len(before.positions)


async def test_an_end_that_was_not_clean_starts_halted_and_says_why() -> None:
    async with running() as desk:
        await desk.ask(START, "1")
        await desk.wait(20 * MINUTE)
    async with running(desk.store, desk.journal) as again:
        latch = again.house.front.view().latch
        assert (latch.mode, latch.code) == (DeskMode.HALTED, "unclean_exit")
        assert (await again.store.pending_alerts(["x"]))[0].alert.title.startswith("HALTED")


async def test_a_kill_in_a_held_market_is_reported_from_the_brokers_book() -> None:
    async with running() as desk:
        await desk.ask(START, "1")
        await desk.wait(20 * MINUTE)
        assert desk.house.front.view().positions
        answer = await desk.ask(Kill(), "2")
        assert answer.text.startswith("HALTED")
        await desk.wait(MINUTE)
        titles = [p.alert.title for p in await desk.store.pending_alerts(["x"])]
        assert any(title.startswith("FLAT verified") for title in titles)
        assert not desk.house.front.view().positions


async def test_a_fault_while_handling_halts_the_desk_and_the_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as desk:
        handle = desk.house.desk.handle
        broken = [True]

        def fails_once(event: object) -> object:
            if broken and type(event).__name__ == "TicksArrived":
                broken.clear()
                raise RuntimeError("a bug of ours")
            return handle(event)  # type: ignore[arg-type] # whatever comes is passed on

        monkeypatch.setattr(desk.house.desk, "handle", fails_once)
        await desk.wait(timedelta(seconds=5))
        assert desk.house.front.view().latch.code == "internal_fault"
        assert (await desk.ask(Pause(), "9")).ok is False  # still answering


async def test_many_candles_closing_at_once_leave_room_for_every_stop() -> None:
    """Twenty instruments decide in the same second; the broker takes ten orders in one (kite.md 10)."""
    crowded = read_settings(
        {
            "REPLAY_SPEED": "max",
            "CLOCK_START": "2026-11-23T09:30",
            "RISK_CAPITAL": "5000000",
            "RISK_MAX_OPEN_POSITIONS": "60",
            "RISK_MAX_TRADES_PER_DAY": "5000",
            "RISK_LOSS_STREAK": "1000",
            "RISK_MAX_DAILY_LOSS": "1000000",
            "RISK_MAX_DAILY_LOSS_PCT": "50",
        }
    )
    async with running(settings=crowded) as desk:
        listed = desk.house.front.instruments()
        symbols = tuple(i.symbol for i in listed if i.segment is Segment.EQUITY)
        for number, name in enumerate(("ema_crossover", "breakout", "rsi_mean_reversion")):
            many = {"max_positions": "50", "stop": "0.3", "target": "0.5"}
            await desk.ask(StartStrategy(name, symbols, "15s", many), f"start {number}")
        await desk.wait(10 * MINUTE)
        orders = await desk.store.orders(limit=10_000)
        sent = [o for o in orders if o.state is not OrderState.DENIED]
        seconds = Counter(o.request.at for o in sent)
        assert max(seconds.values()) > 4, "too quiet a market to prove anything"
        assert max(seconds.values()) <= 10
        assert [o.message for o in orders if o.state is OrderState.DENIED and o.purpose is Purpose.STOP] == []
        entered_at = {o.request.at.second % 15 for o in sent if o.purpose is Purpose.ENTRY}
        assert len(entered_at) > 1, "entries that found no room were to be made in the next seconds"
