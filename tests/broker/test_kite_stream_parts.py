"""The stream's parts without a socket: what is asked for, what waits, how long to wait, what a text means."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.broker.zerodha.stream.inbox import OrderInbox, TickInbox
from trader.broker.zerodha.stream.layout import Mode
from trader.broker.zerodha.stream.login import StreamLogin
from trader.broker.zerodha.stream.pacing import Backoff
from trader.broker.zerodha.stream.subscriptions import Missing, Subscriptions
from trader.broker.zerodha.stream.texts import Garbled, OrderRow, Passed, Words, read_text
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick
from trader.domain.times import IST

OPEN = datetime(2026, 11, 23, 9, 15, tzinfo=IST)


class Kite:
    """Holds subscriptions as Kite does: a mode only for what is subscribed, quote until told otherwise."""

    def __init__(self) -> None:
        self.modes: dict[int, str] = {}
        self.largest = 0

    def take(self, texts: Iterable[str]) -> None:
        for text in texts:
            message = json.loads(text)
            action, value = message["a"], message["v"]
            tokens = value[1] if action == "mode" else value
            self.largest = max(self.largest, len(tokens))
            for token in tokens:
                if action == "subscribe":
                    self.modes.setdefault(token, "quote")
                elif action == "unsubscribe":
                    del self.modes[token]  # only what is there is let go
                else:
                    assert token in self.modes, "a mode before its subscription is lost"
                    self.modes[token] = value[0]


STEP = st.tuples(
    st.sampled_from(["want", "drop", "renew", "send", "lose"]),
    st.sets(st.integers(1, 12), min_size=1),
    st.sampled_from(list(Mode)),
)


@given(st.lists(STEP, max_size=30))
def test_whatever_is_wished_kite_ends_up_with_exactly_that(steps: list[tuple[str, set[int], Mode]]) -> None:
    asked, kite, wish = Subscriptions(grace=15), Kite(), dict[int, Mode]()
    for step, tokens, mode in steps:
        if step == "want":
            asked.want(tokens, mode)
            wish.update(dict.fromkeys(tokens, mode))
        elif step == "drop":
            asked.drop(tokens)
            wish = {token: mode for token, mode in wish.items() if token not in tokens}
        elif step == "renew":
            asked.renew(tokens)
        elif step == "send":
            kite.take(asked.messages(0.0))
        else:
            asked.connection_lost()
            kite.modes.clear()
    kite.take(asked.messages(0.0))
    assert kite.modes == {token: mode.value for token, mode in wish.items()}
    assert asked.messages(0.0) == []


def test_thousands_are_asked_for_in_messages_of_a_few_hundred() -> None:
    asked, kite = Subscriptions(grace=15), Kite()
    asked.want(range(3000), Mode.FULL)
    texts = asked.messages(0.0)
    kite.take(texts)
    assert kite.modes == dict.fromkeys(range(3000), "full")
    assert kite.largest <= 300
    assert len(texts) == 24


def test_what_stays_silent_is_asked_for_once_more_then_told_once() -> None:
    asked, kite = Subscriptions(grace=15), Kite()
    asked.want([1, 2, 3], Mode.FULL)
    kite.take(asked.messages(0.0))
    asked.heard([1], Mode.FULL)
    asked.heard([2, 99], Mode.QUOTE)
    assert asked.overdue(14.9) is None
    assert asked.messages(14.9) == []
    assert asked.overdue(15.0) is None
    again = [json.loads(text) for text in asked.messages(15.0)]
    assert again == [
        {"a": "unsubscribe", "v": [2, 3]},
        {"a": "subscribe", "v": [2, 3]},
        {"a": "mode", "v": ["full", [2, 3]]},
    ]
    asked.heard([2], Mode.QUOTE)
    assert asked.overdue(30.0) == Missing(silent=(3,), other_mode=(2,))
    assert asked.overdue(99.0) is None
    assert asked.served


def test_a_packet_of_the_right_mode_ends_the_waiting() -> None:
    asked = Subscriptions(grace=15)
    asked.want([1], Mode.LTP)
    asked.messages(0.0)
    assert not asked.served
    asked.heard([1], Mode.LTP)
    assert asked.served
    assert asked.overdue(60.0) is None


def tick(name: str, second: int, last: float = 100.0, volume: int = 0) -> Tick:
    return Tick(InstrumentKey(name), OPEN + timedelta(seconds=second), last, volume)


async def test_a_consumer_that_keeps_up_sees_every_tick() -> None:
    inbox = TickInbox(room=4)
    inbox.put([tick("A", 0, 100.0), tick("A", 0, 101.0)])
    inbox.put([tick("A", 1, 102.0)])
    assert [t.last for t in await anext(inbox)] == [100.0, 101.0, 102.0]
    assert inbox.conflated == 0


async def test_a_slow_consumer_gets_the_newest_of_each_in_order_of_arrival() -> None:
    inbox = TickInbox(room=3)
    inbox.put([tick("A", 0, 1.0, 10), tick("B", 0, 2.0, 5), tick("C", 1, 3.0, 1)])
    inbox.put([tick("A", 2, 4.0, 12)])
    assert [(t.key, t.last, t.volume) for t in await anext(inbox)] == [
        ("B", 2.0, 5), ("C", 3.0, 1), ("A", 4.0, 12),
    ]  # fmt: skip
    assert inbox.conflated == 1


async def test_a_newest_tick_without_volume_keeps_the_volume_of_the_day() -> None:
    inbox = TickInbox(room=1)
    inbox.put([tick("A", 0, 1.0, 10), tick("A", 1, 2.0, 0)])
    assert [(t.last, t.volume) for t in await anext(inbox)] == [(2.0, 10)]


async def test_a_new_day_begins_without_yesterdays_volume() -> None:
    inbox = TickInbox(room=1)
    inbox.put([tick("A", 0, 1.0, 10), tick("A", 86_400, 2.0, 0)])
    assert [(t.last, t.volume) for t in await anext(inbox)] == [(2.0, 0)]


async def test_more_instruments_than_room_are_not_gone_through_at_every_frame() -> None:
    inbox = TickInbox(room=1)
    inbox.put([tick("A", 0), tick("B", 0), tick("C", 0)])
    inbox.put([tick("A", 1), tick("A", 2), tick("A", 3)])
    assert (len(inbox), inbox.conflated) == (6, 0)
    await anext(inbox)
    inbox.put([tick("A", 4), tick("A", 5)])
    assert (len(inbox), inbox.conflated) == (1, 1), "once taken, the room is as small as before"


@given(st.lists(st.lists(st.tuples(st.sampled_from("ABCDE"), st.integers(1, 9)), max_size=8), max_size=40))
def test_what_waits_is_bounded_and_the_newest_is_never_lost(batches: list[list[tuple[str, int]]]) -> None:
    async def play() -> None:
        inbox, newest, volume = TickInbox(room=6), dict[str, float](), 0
        for batch in batches:
            made = []
            for name, last in batch:
                volume += 1
                made.append(tick(name, volume, float(last), volume))
                newest[name] = float(last)
            inbox.put(made)
            assert len(inbox) <= 10  # twice the five instruments
        inbox.close()
        seen = [t async for ticks in inbox for t in ticks]
        assert {t.key: t.last for t in seen} == newest
        assert [t.volume for t in seen] == sorted(t.volume for t in seen)
        assert len(seen) + inbox.conflated == volume

    asyncio.run(play())


async def test_order_updates_are_kept_whole_and_in_order_and_their_number_is_told() -> None:
    told: list[int] = []
    inbox = OrderInbox(told.append, alarm_at=10)
    rows: list[dict[str, Any]] = [{"order_id": str(n % 3), "n": n} for n in range(45)]
    for row in rows:
        inbox.put(row)
    assert told == [10, 20, 40]
    inbox.close()
    assert [row async for row in inbox] == rows


async def test_a_waiting_consumer_wakes_for_what_comes_and_ends_with_the_close() -> None:
    inbox = OrderInbox(lambda _: None)
    waiting = asyncio.create_task(anext(inbox))
    await asyncio.sleep(0)
    inbox.put({"n": 1})
    assert await asyncio.wait_for(waiting, 5) == {"n": 1}
    ending = asyncio.create_task(anext(inbox))
    await asyncio.sleep(0)
    inbox.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(ending, 5)


def test_waits_double_up_to_a_limit_and_chance_takes_up_to_half() -> None:
    longest, shortest = Backoff(lambda: 1.0), Backoff(lambda: 0.0)
    assert [longest.next() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert [shortest.next() for _ in range(7)] == [0.5, 1, 2, 4, 8, 15, 15]
    assert shortest.next(at_least=60.0) == 60.0
    shortest.reset()
    assert shortest.next() == 0.5


def test_a_month_of_outage_waits_as_long_as_a_minute_of_it() -> None:
    backoff = Backoff(random.Random(1).random)
    assert all(15.0 <= wait <= 30.0 for wait in [backoff.next() for _ in range(100_000)][5:])


ORDER = {"type": "order", "id": "", "data": {"order_id": "2026112300000000001", "status": "COMPLETE"}}


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (json.dumps(ORDER), OrderRow({"order_id": "2026112300000000001", "status": "COMPLETE"})),
        ('{"type":"error","data":"Too many instruments"}', Words(error=True, text="Too many instruments")),
        ('{"type":"message","data":"Markets close at one"}', Words(error=False, text="Markets close at one")),
        ('{"type":"error","data":{"code":7}}', Words(error=True, text='{"code": 7}')),
        ('{"type":"instruments_meta","data":{"count":86481}}', Passed("instruments_meta")),
        ('{"type":"tomorrows_idea"}', Passed("tomorrows_idea")),
    ],
)
def test_texts_mean_what_kite_says(text: str, meaning: object) -> None:
    assert read_text(text) == meaning


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "null", '{"data":1}', '{"type":7}', '{"type":"order"}', "[" * 100_000]
)
def test_texts_that_mean_nothing_are_told_and_never_raise(text: str) -> None:
    assert isinstance(read_text(text), Garbled)


@pytest.mark.parametrize("url", ["", "https://ws.kite.trade", "ws.kite.trade", "wss://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"wss://ws\.kite\.trade"):
        StreamLogin(url, "k", "t")


def test_the_answer_to_an_old_token_does_not_stop_a_new_one() -> None:
    login = StreamLogin("wss://ws.kite.trade", "k", "old")
    login.renew("new")
    assert not login.refuse("old")
    assert login.granted.is_set()
    assert login.refuse("new")
    assert not login.refuse("new")
    assert not login.granted.is_set()


def test_secrets_are_part_of_the_address_and_of_nothing_told() -> None:
    login = StreamLogin("ws://127.0.0.1:1?x=1", "thekey", "the token")
    assert login.address == "ws://127.0.0.1:1?x=1&api_key=thekey&access_token=the+token"
    assert login.hide("no thekey, no the token, no the+token") == "no …, no …, no …"
