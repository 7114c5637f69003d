"""What every Store must do; each test runs on each kind of ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import ledger_samples as sample
import pytest
from generated_records import TEXT, records_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.kinds import KEYS
from storage.memory import MemoryLedger
from trader.domain.errors import CommitFailed
from trader.domain.order import Order, OrderState, Tag
from trader.domain.position import DayResult, Fill, Position, Trade
from trader.domain.records import (
    Alert,
    AlertDelivery,
    AuditEntry,
    CommandDone,
    DeskMode,
    ExitPlan,
    Latch,
    LedgerState,
    OrderEvent,
    Priority,
    RiskCounters,
    SessionRecord,
    Setting,
    StrategyInstance,
)
from trader.domain.times import IST, ist
from trader.ports.store import PendingAlert, Store

# The database is reached through a fixture, but every example makes its own ledger in it.
EXAMPLES = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
DAY = sample.DAY


async def everything(ledger: Store, tags: list[str], days: list[date]) -> list[Any]:
    """All that can be read."""
    return [
        await ledger.load(),
        await ledger.orders(), await ledger.fills(), await ledger.trades(),
        await ledger.audit_trail(1000), await ledger.pending_alerts(["a", "b"]),
        [await ledger.order_events(Tag(tag)) for tag in tags],
        [(await ledger.orders(d), await ledger.fills(d), await ledger.trades(d)) for d in days],
        [await ledger.day_results(day) for day in days],
    ]  # fmt: skip


async def _one_alert(ledger: Store, _: Alert) -> Alert:
    (pending,) = await ledger.pending_alerts(["nobody"])
    return pending.alert


async def _loaded(ledger: Store, field: str) -> Any:
    value = getattr(await ledger.load(), field)
    return value[0] if isinstance(value, tuple) else value


READ: dict[type, Callable[[Any, Any], Awaitable[Any]]] = {
    Order: lambda ledger, _: _first(ledger.orders()),
    OrderEvent: lambda ledger, record: _first(ledger.order_events(record.tag)),
    Fill: lambda ledger, record: _first(ledger.fills(ist(record.at).date())),
    Position: lambda ledger, _: _loaded(ledger, "positions"),
    Trade: lambda ledger, record: _first(ledger.trades(ist(record.exit_at).date())),
    DayResult: lambda ledger, record: _first(ledger.day_results(record.day)),
    ExitPlan: lambda ledger, _: _loaded(ledger, "plans"),
    RiskCounters: lambda ledger, _: _loaded(ledger, "counters"),
    StrategyInstance: lambda ledger, _: _loaded(ledger, "instances"),
    Latch: lambda ledger, _: _loaded(ledger, "latch"),
    Alert: _one_alert,
    AuditEntry: lambda ledger, record: ledger.audit_entry(record.source_id),
    SessionRecord: lambda ledger, _: _loaded(ledger, "last_session"),
}
READ_OTHERWISE = {AlertDelivery, CommandDone, Setting}  # they come back as a set or a mapping


async def _first(found: Awaitable[list[Any]]) -> Any:
    (only,) = await found
    return only


def test_every_kind_of_record_is_read_back_by_some_test() -> None:
    assert set(READ) | READ_OTHERWISE == set(KEYS)


@EXAMPLES
@given(data=st.data())
async def test_every_record_comes_back_as_it_was_written(fresh: Any, data: st.DataObject) -> None:
    fixed = {ExitPlan: {"closed": st.just(False)}}
    records = [data.draw(records_of(kind, **fixed.get(kind, {}))) for kind in READ]
    async with fresh() as ledger:
        await ledger.commit(records)
        for record in records:
            found = await READ[type(record)](ledger, record)
            assert found == record
            assert repr(getattr(found, "price", 0)) == repr(getattr(record, "price", 0))  # 1.50 stays 1.50


@EXAMPLES
@given(key=TEXT, value=TEXT, source_id=TEXT, recipient=TEXT)
async def test_settings_commands_and_deliveries_come_back(
    fresh: Any, key: str, value: str, source_id: str, recipient: str
) -> None:
    async with fresh() as ledger:
        await ledger.commit(
            [
                Setting(key, value),
                CommandDone(source_id, sample.AT),
                sample.alert("a"),
                sample.reached("a", recipient),
            ]
        )
        state = await ledger.load()
        assert (state.settings, state.commands_done) == ({key: value}, {source_id})
        (pending,) = await ledger.pending_alerts([recipient, recipient + "?"])
        assert pending.delivered_to == {recipient}


async def test_times_come_back_on_the_exchanges_own_clock(ledger: Store) -> None:
    await ledger.commit([sample.fill(at=datetime(2026, 11, 23, 3, 45, 0, 7, tzinfo=UTC))])
    (found,) = await ledger.fills()
    assert found.at.tzinfo is IST
    assert found.at == datetime(2026, 11, 23, 9, 15, 0, 7, tzinfo=IST)


async def test_an_empty_ledger_restores_an_empty_desk(ledger: Store) -> None:
    assert await ledger.load() == LedgerState()


POOL = st.sampled_from(["a", "b", "é"])
WHEN = st.sampled_from([sample.AT + timedelta(hours=13 * n) for n in range(-2, 4)])
SMALL: dict[type, dict[str, st.SearchStrategy[Any]]] = {
    # few keys and times, so that they meet
    Order: {"request": records_of(sample.OrderRequest, tag=POOL, at=WHEN), "updated_at": WHEN},
    OrderEvent: {"tag": POOL, "sequence": st.integers(1, 3)},
    Fill: {"fill_id": POOL, "at": WHEN},
    Position: {"owner": POOL, "key": POOL},
    Trade: {"trade_id": POOL, "exit_at": WHEN},
    DayResult: {"day": st.just(DAY), "owner": POOL},
    ExitPlan: {"owner": POOL, "key": POOL},
    RiskCounters: {"day": st.sampled_from([DAY, DAY + timedelta(days=1)])},
    StrategyInstance: {"name": POOL, "started_at": WHEN},
    Latch: {"reason": POOL},
    Alert: {"alert_id": POOL, "at": WHEN},
    AlertDelivery: {"alert_id": POOL, "recipient": POOL},
    AuditEntry: {"source_id": POOL},
    CommandDone: {"source_id": POOL},
    SessionRecord: {"session_id": POOL},
    Setting: {"key": POOL},
}
COMMITS = st.lists(
    st.lists(st.one_of([records_of(kind, **fixed) for kind, fixed in SMALL.items()]), max_size=6),
    max_size=6,
)


@EXAMPLES
@given(commits=COMMITS)
async def test_a_database_answers_as_its_twin_in_memory(fresh_sql: Any, commits: list[list[Any]]) -> None:
    twin = MemoryLedger()
    tags, days = ["a", "b", "é"], [DAY + timedelta(days=n) for n in range(-2, 3)]
    async with fresh_sql() as ledger:
        for records in commits:
            await ledger.commit(records)
            await twin.commit(records)
        assert await everything(ledger, tags, days) == await everything(twin, tags, days)
        await ledger.close()
        await ledger.open()
        assert await ledger.load() == await twin.load()


@EXAMPLES
@given(records=st.lists(st.one_of([records_of(kind, **fixed) for kind, fixed in SMALL.items()]), max_size=8))
async def test_writing_the_same_again_changes_nothing(fresh: Any, records: list[Any]) -> None:
    latest = list(
        {
            (type(r), KEYS[type(r)] and tuple(getattr(r, k) for k in KEYS[type(r)])): r for r in records
        }.values()
    )
    async with fresh() as ledger:
        await ledger.commit(latest)
        before = await everything(ledger, ["a", "b"], [DAY])
        await ledger.commit(latest)
        assert await everything(ledger, ["a", "b"], [DAY]) == before


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        pytest.param(sample.fill(price="1"), sample.fill(price="2"), "first", id="fill"),
        pytest.param(sample.trade(pnl="1"), sample.trade(pnl="2"), "first", id="trade"),
        pytest.param(sample.event(detail="1"), sample.event(detail="2"), "first", id="order event"),
        pytest.param(sample.alert("a", title="1"), sample.alert("a", title="2"), "first", id="alert"),
        pytest.param(sample.order(), sample.order(state=OrderState.OPEN), "second", id="order"),
        pytest.param(sample.position(1), sample.position(2), "second", id="position"),
        pytest.param(
            sample.day_result(realised="1"), sample.day_result(realised="2"), "second", id="day result"
        ),
        pytest.param(sample.session("s"), sample.session("s", ended_at=sample.AT), "second", id="session"),
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["in one commit", "in two commits"])
async def test_of_one_key_a_fact_stays_and_a_state_is_replaced(
    ledger: Store, first: Any, second: Any, kept: str, together: bool
) -> None:
    for records in [[first, second]] if together else [[first], [second]]:
        await ledger.commit(records)
    assert await READ[type(first)](ledger, first) == (first if kept == "first" else second)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (sample.fill(at=datetime(2026, 11, 23, 9, 15)), "Fill.at"),  # noqa: DTZ001 the naive time is the point
        (replace(sample.fill(), price=1450.05), "expected Decimal, was 1450.05"),
        (replace(sample.fill(), charges=Decimal("NaN")), "finite"),
        (replace(sample.fill(), price=None), "Fill.price"),
        (replace(sample.fill(), quantity=2**63), "64 bits"),
        (replace(sample.fill(), quantity=True), "expected int"),
        (replace(sample.fill(), side="BUY"), "expected Side"),
        (replace(sample.order(), request=replace(sample.order().request, price=1.5)), "OrderRequest.price"),
        (replace(sample.audit(), text=b"/kill"), "expected text"),
        ("a sentence", "str"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_commit_with_a_bad_record_writes_nothing_and_the_next_one_works(
    ledger: Store, bad: Any, said: str
) -> None:
    good = [sample.order(), sample.position(), sample.audit()]
    with pytest.raises(CommitFailed, match="Nothing was recorded") as refused:
        await ledger.commit([*good, bad])
    assert said in str(refused.value)
    assert await everything(ledger, ["m1"], [DAY]) == await everything(MemoryLedger(), ["m1"], [DAY])
    await ledger.commit(good)
    assert await ledger.orders() == [sample.order()]


async def test_what_reached_somebody_who_is_asked_for_no_more_still_waits_for_who_is(ledger: Store) -> None:
    """The owner moved from the terminal to Telegram, say."""
    kill = sample.alert("kill", Priority.CRITICAL, sample.AT)
    await ledger.commit([kill, sample.reached("kill", "terminal")])
    (pending,) = await ledger.pending_alerts(["4711"])
    assert pending.alert == kill


async def test_alerts_wait_by_priority_then_age_until_everybody_has_them(ledger: Store) -> None:
    later = sample.AT + timedelta(seconds=1)
    kill, fill, older = (
        sample.alert("kill", Priority.CRITICAL, later), sample.alert("fill", Priority.FILL, later),
        sample.alert("older", Priority.FILL),
    )  # fmt: skip
    await ledger.commit([fill, kill, older])
    await ledger.commit(
        [sample.reached("fill", "4711"), sample.reached("older", "4711"), sample.reached("older", "4712")]
    )
    assert await ledger.pending_alerts(["4711", "4712"]) == [
        PendingAlert(kill, frozenset()), PendingAlert(fill, frozenset({"4711"})),
    ]  # fmt: skip
    assert await ledger.pending_alerts(["4711"]) == [PendingAlert(kill, frozenset())]
    assert await ledger.pending_alerts([]) == []


async def test_a_delivery_given_up_is_no_longer_pending(ledger: Store) -> None:
    await ledger.commit([sample.alert("a"), sample.reached("a", "4711", "blocked by the user")])
    assert await ledger.pending_alerts(["4711"]) == []


async def test_an_audit_line_takes_its_outcome_and_keeps_its_place(ledger: Store) -> None:
    await ledger.commit([sample.audit("tg:1")])
    await ledger.commit([sample.audit("tg:2", text="/status")])
    await ledger.commit([sample.audit("tg:1", outcome="FLAT at 15:20:00")])
    assert await ledger.audit_entry("tg:1") == sample.audit("tg:1", outcome="FLAT at 15:20:00")
    assert [entry.source_id for entry in await ledger.audit_trail(10)] == ["tg:2", "tg:1"]
    assert [entry.source_id for entry in await ledger.audit_trail(1)] == ["tg:2"]
    assert await ledger.audit_entry("tg:3") is None


async def test_what_a_stranger_types_cannot_fail_a_commit(ledger: Store) -> None:
    await ledger.commit([sample.audit("tg:1", text="half \ud83d an emoji, \0, and 😀")])
    entry = await ledger.audit_entry("tg:1")
    assert entry is not None
    assert entry.text == "half \ufffd an emoji, \ufffd, and 😀"


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 11, 22, 18, 29, 59, 999999, UTC), date(2026, 11, 22)),
        (datetime(2026, 11, 22, 18, 30, tzinfo=UTC), date(2026, 11, 23)),
        (datetime(2026, 11, 23, 23, 59, tzinfo=UTC), date(2026, 11, 24)),
        (datetime(2026, 11, 23, 23, 59, 59, 999999, IST), date(2026, 11, 23)),
    ],
)
async def test_the_exchanges_midnight_parts_the_days(ledger: Store, at: datetime, day: date) -> None:
    await ledger.commit([sample.fill(at=at), sample.trade(exit_at=at), sample.order(at=at)])
    for near in (day - timedelta(days=1), day, day + timedelta(days=1)):
        found = [
            len(await ledger.fills(near)),
            len(await ledger.trades(near)),
            len(await ledger.orders(near)),
        ]
        assert found == ([1, 1, 1] if near == day else [0, 0, 0])


async def test_the_last_ones_come_oldest_first(ledger: Store) -> None:
    times = [sample.AT + timedelta(minutes=n) for n in (3, 1, 2)]
    await ledger.commit([sample.fill(f"f{at.minute - 15}", at) for at in times])
    assert [fill.fill_id for fill in await ledger.fills(limit=2)] == ["f2", "f3"]
    assert await ledger.fills(limit=0) == []
    assert [fill.fill_id for fill in await ledger.fills(DAY, limit=1)] == ["f1", "f2", "f3"]  # a day is whole


async def test_restoring_takes_working_orders_and_the_last_days(ledger: Store) -> None:
    long_ago, done = sample.AT - timedelta(days=3), OrderState.FILLED
    await ledger.commit([
        sample.order("old-done", long_ago, state=done),
        sample.order("old-working", long_ago, state=OrderState.UNKNOWN),
        sample.order("old-changed-today", long_ago, state=done, updated_at=sample.AT),
        sample.order("today-done", state=done),
        sample.event("today-done", 1), sample.event("today-done", 2), sample.event("old-done", 7),
    ])  # fmt: skip
    state = await ledger.load()
    assert [order.tag for order in state.orders] == ["old-working", "old-changed-today", "today-done"]
    assert state.order_sequences == {"old-working": 0, "old-changed-today": 0, "today-done": 2}
    assert state.tag_serial == 4


async def test_restoring_takes_what_was_written_last_even_when_a_replay_went_back_in_time(
    ledger: Store,
) -> None:
    earlier = sample.AT - timedelta(days=30)
    await ledger.commit([RiskCounters(DAY, entries=9), sample.session("s1"), sample.day_result()])
    await ledger.commit([RiskCounters(earlier.date(), entries=1), sample.session("s2", earlier)])
    await ledger.commit(
        [sample.day_result(day=earlier.date(), realised="5"), sample.session("s1", ended_at=sample.AT)]
    )
    state = await ledger.load()
    assert state.counters == RiskCounters(earlier.date(), entries=1)
    assert state.day_results == (sample.day_result(day=earlier.date(), realised="5"),)
    assert state.last_session == sample.session("s2", earlier)
    ended = sample.session("s1", ended_at=sample.AT)
    assert await ledger.sessions() == [ended, sample.session("s2", earlier)]  # in the order they began
    await ledger.commit([RiskCounters(DAY, entries=10)])
    assert (await ledger.load()).counters == RiskCounters(DAY, entries=10)


async def test_the_newest_latch_is_in_force_whichever_came_before(ledger: Store) -> None:
    halted = Latch(DeskMode.HALTED, "killed", "/kill", sample.AT, "owner 4711")
    active = Latch(DeskMode.ACTIVE, "resumed", "/resume", sample.AT, "owner 4711")
    for latch in (halted, active, halted):
        await ledger.commit([latch])
        assert (await ledger.load()).latch == latch


async def test_a_thousand_commands_are_remembered(ledger: Store) -> None:
    await ledger.commit([CommandDone(f"tg:{n}", sample.AT) for n in range(1003)])
    assert (await ledger.load()).commands_done == {f"tg:{n}" for n in range(3, 1003)}


async def test_closed_exit_plans_are_not_restored(ledger: Store) -> None:
    plan = ExitPlan(sample.position().owner, sample.INFY, sample.Product.MIS, None, None, None, Decimal(1))
    await ledger.commit([plan])
    assert (await ledger.load()).plans == (plan,)
    await ledger.commit([replace(plan, closed=True)])
    assert (await ledger.load()).plans == ()


async def test_nothing_to_commit_is_no_error(ledger: Store) -> None:
    await ledger.commit([])
    assert await ledger.load() == LedgerState()


async def test_the_twin_fails_once_when_told_to() -> None:
    twin = MemoryLedger()
    twin.fail_next_commit = "the disk is full"
    with pytest.raises(CommitFailed, match="the disk is full"):
        await twin.commit([sample.order()])
    assert await twin.orders() == []
    await twin.commit([sample.order()])
    assert await twin.orders() == [sample.order()]
