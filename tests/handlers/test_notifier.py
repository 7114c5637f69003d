"""Alerts reach everybody once, the urgent ones first, whatever the channel and the ledger do."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from notifier_world import VirtualLoop, World

from handlers.channel import ChannelDown, MaybeSent, Undeliverable
from handlers.digest import short_id
from handlers.message import Reply
from trader.domain.errors import CommitFailed
from trader.domain.records import Priority

CRITICAL, FILL, STRATEGY, INFO = Priority


@pytest.fixture
def virtual():
    """Run a scenario in virtual time, an hour of it at most."""

    def run(scenario: Callable[[World], Awaitable[None]], *recipients: str) -> None:
        async def whole() -> None:
            world = World(*recipients)
            try:
                async with asyncio.timeout(36_000):
                    await scenario(world)
            finally:
                await world.stop()

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(whole())

    return run


def down_until(moment: float, retry_after: float | None = None):
    async def weather(recipient: str, message: Reply) -> None:
        if asyncio.get_running_loop().time() < moment:
            raise ChannelDown("outage", retry_after)

    return weather


def test_the_urgent_goes_first_then_the_old(virtual) -> None:
    async def scenario(world: World) -> None:
        world.raise_alert(INFO, "desk", "hello")
        world.raise_alert(STRATEGY, "strategy", "started")
        world.raise_alert(FILL, "fill", "bought")
        world.raise_alert(CRITICAL, "kill", "killed")
        world.raise_alert(CRITICAL, "breach", "limit reached")
        world.start()
        await asyncio.sleep(20)
        assert world.air.titles() == ["killed", "limit reached", "bought", "started", "hello"]
        assert [s.silent for s in world.air.sent] == [False, False, False, True, True]
        assert not world.undelivered()

    virtual(scenario)


def test_messages_to_one_person_keep_their_distance_and_the_terminal_needs_none(virtual) -> None:
    async def scenario(world: World) -> None:
        for n in range(5):
            world.raise_alert(CRITICAL, "kill", f"kill {n}")
        world.start()
        await asyncio.sleep(20)
        by_phone = [s.at for s in world.air.sent if s.recipient == "tg:1"]
        assert [b - a for a, b in pairwise(by_phone)] == [1.0] * 4
        assert {s.at for s in world.air.sent if s.recipient == "terminal"} == {0.0}

    virtual(scenario, "tg:1", "terminal")


def test_waiting_alerts_of_a_topic_become_one_message(virtual) -> None:
    async def scenario(world: World) -> None:
        for n in range(1, 13):
            world.raise_alert(FILL, "fill", f"fill {n}")
        world.raise_alert(STRATEGY, "strategy", "alone")
        world.start()
        await asyncio.sleep(5)
        digest, single = world.air.sent
        assert digest.lines == ("12 fills", *(f"fill {n}" for n in range(1, 11)), "…and 2 more")
        assert single.lines == ("alone",)
        assert not world.undelivered()

    virtual(scenario)


def test_critical_alerts_are_never_merged(virtual) -> None:
    async def scenario(world: World) -> None:
        for n in range(3):
            world.raise_alert(CRITICAL, "breach", f"breach {n}", "details\nmore")
        world.start()
        await asyncio.sleep(5)
        assert [s.lines for s in world.air.sent] == [(f"breach {n}", "details", "more") for n in range(3)]

    virtual(scenario)


def test_a_critical_alert_waits_for_one_pause_at_most(virtual) -> None:
    async def scenario(world: World) -> None:
        world.start()
        for n in range(40):  # no two of one topic, so that nothing merges
            world.raise_alert(FILL, f"topic{n}")
        await asyncio.sleep(10.25)
        world.raise_alert(CRITICAL, "kill", "killed")
        await asyncio.sleep(5)
        (killed,) = [s for s in world.air.sent if s.title == "killed"]
        assert killed.at <= 10.25 + 1.0

    virtual(scenario)


def test_an_outage_loses_nothing_repeats_nothing_and_is_probed_ever_more_rarely(virtual) -> None:
    async def scenario(world: World) -> None:
        world.air.weather = down_until(1_000)
        world.start()
        for _ in range(30):
            world.raise_alert(FILL)
            await asyncio.sleep(20)
        await asyncio.sleep(600)
        attempts = [at for at in world.air.attempts if at < 1_000]
        gaps = [round(b - a) for a, b in pairwise(attempts)]
        assert gaps[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
        (digest,) = world.air.sent
        assert digest.title == "30 fills"
        assert digest.at < 1_000 + 60
        assert not world.undelivered()

    virtual(scenario)


def test_one_persons_outage_is_nobody_elses(virtual) -> None:
    async def scenario(world: World) -> None:
        async def weather(recipient: str, message: Reply) -> None:
            if recipient == "tg:1":
                raise ChannelDown("blocked")
            if recipient == "tg:2":
                await asyncio.sleep(50)  # a slow one

        world.air.weather = weather
        world.start()
        world.raise_alert(CRITICAL, "kill", "killed")
        await asyncio.sleep(2)
        assert world.air.titles("tg:3") == ["killed"]
        await asyncio.sleep(100)
        assert world.air.titles("tg:2") == ["killed"]
        assert world.undelivered("tg:1") == ["a1"]

    virtual(scenario, "tg:1", "tg:2", "tg:3")


def test_who_could_not_be_written_to_is_tried_as_soon_as_they_write(virtual) -> None:
    """They pressed Start only now, or let the bot in again."""

    async def scenario(world: World) -> None:
        shut = True

        async def weather(recipient: str, message: Reply) -> None:
            if shut:
                raise ChannelDown("has not pressed Start", 300, shut=True)

        world.air.weather = weather
        world.raise_alert(FILL)
        world.start()
        await asyncio.sleep(10)
        world.notifier.heard("tg:2")  # somebody else
        await asyncio.sleep(10)
        assert world.air.attempts == [0]
        shut = False
        world.notifier.heard("tg:1")
        await asyncio.sleep(1)
        assert world.air.attempts == [0, 20]
        assert not world.undelivered()

    virtual(scenario)


def test_a_message_of_theirs_ends_the_wait_after_an_outage(virtual) -> None:
    async def scenario(world: World) -> None:
        world.air.weather = down_until(70)
        world.raise_alert(CRITICAL, "kill", "FLAT verified")
        world.start()
        await asyncio.sleep(75)  # tried after 63 seconds last, and to be tried after 123
        assert world.air.titles() == []
        world.notifier.heard("tg:1")
        await asyncio.sleep(1)
        assert world.air.titles() == ["FLAT verified"]

    virtual(scenario)


def test_a_pause_that_was_asked_for_is_kept_whoever_writes(virtual) -> None:
    async def scenario(world: World) -> None:
        world.air.weather = down_until(40, retry_after=40)
        world.raise_alert(FILL)
        world.start()
        await asyncio.sleep(5)
        world.notifier.heard("tg:1")
        await asyncio.sleep(60)
        assert [round(at) for at in world.air.attempts] == [0, 40]

    virtual(scenario)


def test_a_critical_alert_is_tried_at_once_even_in_a_long_outage(virtual) -> None:
    async def scenario(world: World) -> None:
        world.air.weather = down_until(200)
        world.raise_alert(FILL)
        world.start()
        await asyncio.sleep(205)  # between two probes sixty seconds apart
        assert not world.air.sent
        world.raise_alert(CRITICAL, "kill", "killed")
        await asyncio.sleep(1.5)
        assert world.air.titles()[0] == "killed"

    virtual(scenario)


def test_a_critical_alert_that_met_the_outage_already_hurries_nothing(virtual) -> None:
    async def scenario(world: World) -> None:
        world.air.weather = down_until(100)
        world.raise_alert(CRITICAL, "kill", "killed")
        world.start()
        for _ in range(60):
            await asyncio.sleep(1)
            world.raise_alert(FILL)
        assert world.air.attempts == [0, 1, 3, 7, 15, 31]

    virtual(scenario)


def test_telegrams_own_waiting_time_is_kept_even_for_critical_alerts(virtual) -> None:
    async def scenario(world: World) -> None:
        world.air.weather = down_until(1, retry_after=30)
        world.raise_alert(FILL)
        world.start()
        await asyncio.sleep(5)
        world.raise_alert(CRITICAL, "kill", "killed")
        await asyncio.sleep(60)
        assert world.air.attempts[:2] == [0.0, 30.5]
        assert world.air.titles() == ["killed", "fill 1"]

    virtual(scenario)


def test_a_storm_of_429_keeps_the_order_of_urgency_and_loses_nothing(virtual) -> None:
    async def scenario(world: World) -> None:
        luck = Random(5)

        async def weather(recipient: str, message: Reply) -> None:
            if luck.random() < 0.7:
                raise ChannelDown("Too Many Requests", luck.choice([1, 3, 12]))

        world.air.weather = weather
        world.start()
        raised = 0
        while world.loop.time() < 900:
            priority = luck.choice(list(Priority))
            world.raise_alert(priority, priority.name.lower(), f"{priority.name} {raised}")
            raised += 1
            await asyncio.sleep(luck.choice([0.1, 1, 5]))
        await asyncio.sleep(3_000)
        assert not world.undelivered()
        assert Counter(d.alert_id for d in world.outbox.deliveries).most_common(1)[0][1] == 1
        critical = [t for t in world.air.titles() if t.startswith("CRITICAL")]
        assert critical == [a.title for a in world.outbox.alerts if a.priority is CRITICAL]

    virtual(scenario)


def test_what_may_have_arrived_is_repeated_only_if_critical_and_says_so(virtual) -> None:
    async def scenario(world: World) -> None:
        tries: Counter[str] = Counter()

        async def weather(recipient: str, message: Reply) -> None:
            tries[message.headline] += 1
            raise MaybeSent

        world.air.weather = weather
        alert = world.raise_alert(CRITICAL, "kill", "killed")
        world.raise_alert(FILL, "fill", "bought")
        world.start()
        await asyncio.sleep(60)
        assert tries == {"killed": 1, "killed (may repeat)": 1, "bought": 1}
        assert world.outbox.outcomes("tg:1") == {"a1": "sent", "a2": "sent"}
        world.air.weather = None
        again = world.raise_alert(CRITICAL, "kill", "again")
        await asyncio.sleep(5)
        assert world.air.titles() == ["again"]
        assert short_id(alert) != short_id(again)

    virtual(scenario)


def test_a_repetition_carries_the_id_of_its_alert(virtual) -> None:
    async def scenario(world: World) -> None:
        first = True

        async def weather(recipient: str, message: Reply) -> None:
            nonlocal first
            if first:
                first = False
                raise MaybeSent

        world.air.weather = weather
        alert = world.raise_alert(CRITICAL, "kill", "killed", "all flat")
        world.start()
        await asyncio.sleep(10)
        assert [s.lines for s in world.air.sent] == [
            ("killed (may repeat)", "all flat", f"id {short_id(alert)}")
        ]

    virtual(scenario)


def test_a_transport_that_never_answers_counts_as_maybe_sent(virtual) -> None:
    async def scenario(world: World) -> None:
        async def weather(recipient: str, message: Reply) -> None:
            if message.headline == "bought":
                await asyncio.Event().wait()

        world.air.weather = weather
        world.raise_alert(FILL, "fill", "bought")
        world.start()
        await asyncio.sleep(1)
        world.raise_alert(CRITICAL, "kill", "killed")
        await asyncio.sleep(120)
        assert world.air.titles() == ["killed"]
        assert not world.undelivered()

    virtual(scenario)


def test_what_can_never_be_sent_is_recorded_with_its_reason_and_holds_up_nobody(virtual, caplog) -> None:
    async def scenario(world: World) -> None:
        async def weather(recipient: str, message: Reply) -> None:
            if any("poison" in block.text for block in message.blocks):
                raise Undeliverable("cannot be parsed")

        world.air.weather = weather
        for title in ("fine", "poison", "fine too"):
            world.raise_alert(FILL, "fill", title)
        world.start()
        await asyncio.sleep(20)
        assert world.air.titles() == ["fine", "fine too"]
        assert world.outbox.outcomes("tg:1") == {
            "a1": "sent",
            "a2": "undeliverable: cannot be parsed",
            "a3": "sent",
        }

    with caplog.at_level(logging.ERROR):
        virtual(scenario)
    assert "a2" in caplog.text


def test_after_an_outage_messages_say_when_they_are_from(virtual) -> None:
    async def scenario(world: World) -> None:
        world.air.weather = down_until(300)
        world.raise_alert(CRITICAL, "kill", "killed")
        world.raise_alert(FILL, "fill", "bought")
        world.start()
        await asyncio.sleep(290)
        world.raise_alert(FILL, "fill", "sold")
        world.raise_alert(STRATEGY, "strategy", "fresh")
        await asyncio.sleep(100)
        assert [s.lines for s in world.air.sent] == [
            ("killed", "From 09:15:00"),
            ("2 fills", "09:15:00 bought", "09:19:50 sold"),
            ("fresh",),
        ]

    virtual(scenario)


def test_muted_only_the_critical_comes_and_the_rest_follows_as_a_digest(virtual) -> None:
    async def scenario(world: World) -> None:
        world.start()
        world.notifier.mute(world.now() + timedelta(minutes=30))
        for _ in range(3):
            world.raise_alert(FILL)
        world.raise_alert(CRITICAL, "kill", "killed")
        await asyncio.sleep(1_790)
        assert world.air.titles() == ["killed"]
        assert world.undelivered() == ["a1", "a2", "a3"]
        await asyncio.sleep(20)
        assert world.air.titles() == ["killed", "3 fills"]
        assert world.air.sent[-1].at == pytest.approx(1_800, abs=2)

    virtual(scenario)


def test_unmuting_lets_everything_go_at_once(virtual) -> None:
    async def scenario(world: World) -> None:
        world.notifier.mute(world.now() + timedelta(hours=2))
        assert world.notifier.muted
        world.start()
        world.raise_alert(FILL, "fill", "bought")
        await asyncio.sleep(5)
        assert not world.air.sent
        world.notifier.mute(None)
        await asyncio.sleep(1)
        assert world.air.titles() == ["bought"]

    virtual(scenario)


def test_a_restart_sends_exactly_what_was_not_delivered(virtual) -> None:
    async def scenario(world: World) -> None:
        world.start()
        world.raise_alert(CRITICAL, "kill", "first")
        await asyncio.sleep(5)
        world.air.weather = down_until(1_000)
        world.raise_alert(CRITICAL, "kill", "second")
        await asyncio.sleep(5)
        world.air.weather = None
        await world.restart()
        await asyncio.sleep(5)
        assert world.air.titles() == ["first", "second"]

    virtual(scenario)


def test_the_terminal_gets_what_the_phone_has_already(virtual) -> None:
    async def scenario(world: World) -> None:
        async def weather(recipient: str, message: Reply) -> None:
            if recipient == "terminal" and world.loop.time() < 10:
                raise ChannelDown("no terminal")

        world.air.weather = weather
        world.raise_alert(FILL, "fill", "bought")
        world.start()
        await asyncio.sleep(60)
        assert [(s.recipient, s.title) for s in world.air.sent] == [
            ("tg:1", "bought"),
            ("terminal", "bought"),
        ]

    virtual(scenario, "tg:1", "terminal")


@pytest.mark.parametrize("call", ["commit", "pending_alerts"])
@pytest.mark.parametrize("error", [CommitFailed("disk full"), RuntimeError("token 123:ABC")])
def test_a_failing_ledger_neither_ends_the_loop_nor_makes_anything_arrive_twice(
    virtual, caplog, call: str, error: Exception
) -> None:
    async def scenario(world: World) -> None:
        def fault(name: str) -> None:
            if name == call and world.loop.time() < 100:
                raise error

        world.outbox.fault = fault
        world.start()
        for n in range(5):
            world.raise_alert(CRITICAL, "kill", f"kill {n}")
            await asyncio.sleep(30)
        await asyncio.sleep(120)
        assert sorted(world.air.titles()) == [f"kill {n}" for n in range(5)]
        assert not world.undelivered()
        if call == "commit":  # what can be read goes out at once, written down or not
            assert [s.at for s in world.air.sent] == pytest.approx([0, 30, 60, 90, 120], abs=2)

    with caplog.at_level(logging.WARNING):
        virtual(scenario)
    assert type(error).__name__ in caplog.text
    assert "123:ABC" not in caplog.text


@pytest.mark.parametrize("desk_first", [True, False])
@pytest.mark.parametrize("calls", [{"commit"}, {"commit", "pending_alerts"}])
def test_what_the_ledger_does_not_take_is_told_at_once_and_once(
    virtual, calls: set[str], desk_first: bool
) -> None:
    """A full disk can be read; a database server that is gone cannot."""

    async def scenario(world: World) -> None:
        def full(call: str) -> None:
            if call in calls:
                raise CommitFailed("disk full")

        world.outbox.fault = full
        world.start()
        for n in range(5):
            world.raise_unrecorded(f"unprotected {n}")
            await asyncio.sleep(30)
        assert [s.at for s in world.air.sent] == pytest.approx([0, 30, 60, 90, 120], abs=2)
        if desk_first:
            world.recorded()
            await asyncio.sleep(120)
        world.outbox.fault = lambda call: None
        await asyncio.sleep(120)
        world.recorded()
        await asyncio.sleep(120)
        assert world.air.titles() == [f"unprotected {n}" for n in range(5)]
        assert not world.undelivered()

    virtual(scenario)


def test_a_channel_that_breaks_in_an_unknown_way_is_tried_again(virtual, caplog) -> None:
    async def scenario(world: World) -> None:
        async def weather(recipient: str, message: Reply) -> None:
            if world.loop.time() < 30:
                raise ZeroDivisionError("a bug in the transport")

        world.air.weather = weather
        task = world.start()
        world.raise_alert(CRITICAL, "kill", "killed")
        await asyncio.sleep(120)
        assert world.air.titles() == ["killed"]
        assert not task.done()

    virtual(scenario)
    assert "ZeroDivisionError" in caplog.text


@asynccontextmanager
async def _running(world: World, on: bool):
    task = world.start() if on else None
    await asyncio.sleep(0)
    yield
    assert task is None or not task.done(), "draining must not end the run loop"


@pytest.mark.parametrize("running", [True, False])
def test_draining_delivers_what_waits_and_says_so(virtual, running: bool) -> None:
    async def scenario(world: World) -> None:
        async with _running(world, running):
            for n in range(4):
                world.raise_alert(CRITICAL, "kill", f"kill {n}")
            assert await world.notifier.drain(10)
            assert len(world.air.sent) == 4
            assert not world.undelivered()
            assert await world.notifier.drain(10)

    virtual(scenario)


def test_draining_at_the_very_start_sends_nothing_twice(virtual) -> None:
    async def slow(recipient: str, message: Reply) -> None:
        await asyncio.sleep(0.1)

    async def scenario(world: World) -> None:
        world.air.weather = slow
        for n in range(4):
            world.raise_alert(CRITICAL, "kill", f"kill {n}")
        drained = asyncio.create_task(world.notifier.drain(10))  # before the run loop took its first step
        await asyncio.sleep(0)
        task = world.start()
        assert await drained
        world.raise_alert(CRITICAL, "kill", "the last")
        assert await world.notifier.drain(10)
        assert sorted(world.air.titles()) == ["kill 0", "kill 1", "kill 2", "kill 3", "the last"]
        assert not task.done()

    virtual(scenario)


def test_draining_gives_up_in_time_and_leaves_the_rest_for_the_next_start(virtual) -> None:
    async def scenario(world: World) -> None:
        world.air.weather = down_until(1_000)
        world.raise_alert(CRITICAL, "kill", "killed")
        began = world.loop.time()
        assert not await world.notifier.drain(5)
        assert world.loop.time() - began == 5
        assert world.undelivered() == ["a1"]

    virtual(scenario)


def test_with_nobody_to_tell_it_waits_for_ever(virtual) -> None:
    async def scenario(world: World) -> None:
        world.air.recipients = ()
        world.notifier = world.fresh()
        task = world.start()
        world.raise_alert(CRITICAL, "kill")
        await asyncio.sleep(100)
        assert not task.done()
        assert await world.notifier.drain(1)

    virtual(scenario)


@pytest.mark.parametrize("seed", range(25))
def test_whatever_fails_every_alert_arrives_and_none_twice_unless_it_says_so(virtual, seed: int) -> None:
    """Restarts included: only a death between sending and writing could repeat one, and none happens here."""

    async def scenario(world: World) -> None:
        luck = Random(seed)

        async def weather(recipient: str, message: Reply) -> None:
            await asyncio.sleep(luck.choice([0, 0, 0.3, 2]))
            fate = luck.random()
            if world.loop.time() > 2_000 or fate > 0.5:
                return
            raise luck.choice(
                [ChannelDown("x"), ChannelDown("x", luck.choice([2, 20])), MaybeSent(), OSError()]
            )

        def fault(name: str) -> None:
            if world.loop.time() < 2_000 and luck.random() < 0.2:
                raise CommitFailed(name)

        world.air.weather, world.outbox.fault = weather, fault
        world.start()
        for _ in range(60):
            priority = luck.choice(list(Priority))
            world.raise_alert(priority, luck.choice(["fill", "order", "desk"]))
            if luck.random() < 0.1:
                world.notifier.mute(world.now() + timedelta(seconds=100))
            await asyncio.sleep(luck.choice([0, 0.5, 3, 40]))
        await asyncio.sleep(4_000)
        for recipient in world.air.recipients:
            assert not world.undelivered(recipient)
            written = Counter(d.alert_id for d in world.outbox.deliveries if d.recipient == recipient)
            assert set(written.values()) == {1}
            critical = {a.title for a in world.outbox.alerts if a.priority is CRITICAL}
            seen = Counter(
                line
                for s in world.air.sent
                if s.recipient == recipient
                for line in s.lines
                if line in critical
            )
            assert all(count == 1 for count in seen.values())

    virtual(scenario, "tg:1", "tg:2")
