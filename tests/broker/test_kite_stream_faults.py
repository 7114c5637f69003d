"""What goes wrong with a stream: each ends as it has to, and none ends in a storm or in silence."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from tests.broker.kite_stream_frames import frame, full, keys_of, ltp, token
from tests.broker.kite_stream_world import (
    HEARTBEAT,
    Answer,
    SteppedTime,
    World,
    stream_world,
    until,
)
from trader.broker.zerodha.stream.client import KiteStream
from trader.broker.zerodha.stream.connection import StreamLimits
from trader.broker.zerodha.stream.reports import (
    Connected,
    Fresh,
    LoginNeeded,
    Report,
    Stale,
    Unreadable,
)

SBIN, TCS = token(1), token(2)
KEYS = keys_of(SBIN, TCS)
WAITS = [0.95, 1.9, 3.8, 7.6, 15.2, 28.5, 28.5]  # 1, 2, 4 … 30 less what chance takes


async def streaming(world: World) -> None:
    world.stream.subscribe(KEYS)
    await world.stream.open()
    seat = await world.seat(1)
    await until(lambda: len(seat.modes) == 2)
    await seat.send(frame(full(SBIN, 81_005), full(TCS, 300_000)))
    await until(lambda: world.stream.fresh)


async def test_a_half_open_connection_is_noticed_by_its_silence_and_replaced() -> None:
    async with stream_world() as world:
        await streaming(world)
        await world.time.run(10)
        assert world.stream.connected == (True,)
        await world.time.run(1)
        await until(lambda: world.of(Stale))
        assert "no frame and no heartbeat for 11 s" in world.of(Stale)[0].reason
        assert world.of(Stale)[0].keys == tuple(KEYS.values())
        await until(lambda: world.kite.seats[0].gone)
        assert world.kite.seats[0].close_code == 1006, "the dead are not said goodbye to"
        await world.time.run_wait(0.95)
        seat = await world.seat(2)
        await until(lambda: seat.modes == dict.fromkeys(KEYS, "full"))


async def test_heartbeats_keep_a_quiet_connection_for_an_hour() -> None:
    async with stream_world() as world:
        await streaming(world)
        for beat in range(1, 451):
            await world.kite.seats[0].send(HEARTBEAT)
            await until(lambda beat=beat: world.stream.tally.heartbeats == beat)
            await world.time.run(8, step=1)
        assert not world.of(Stale)
        assert len(world.kite.handshakes) == 1


async def test_our_own_blocked_loop_is_not_taken_for_a_dead_connection() -> None:
    async with stream_world() as world:
        await streaming(world)
        world.time.advance(40)  # nothing of ours ran meanwhile, but Kite went on sending
        await world.kite.seats[0].send(HEARTBEAT)
        await until(lambda: world.stream.tally.heartbeats == 1)
        await world.time.run(5)
        assert world.stream.connected == (True,)
        assert not world.of(Stale)


async def test_a_refused_token_asks_for_a_login_and_nothing_is_tried_until_there_is_one() -> None:
    async with stream_world(token="yesterdays") as world:  # noqa: S106 - a word, no secret
        world.kite.tokens = {"todays"}
        world.stream.subscribe(KEYS)
        await world.stream.open()
        (needed,) = await until(lambda: world.of(LoginNeeded))
        assert needed.reason == "Kite answered 403 Authentication failed."
        assert needed.access_token == "yesterdays"  # noqa: S105 - a word, no secret
        assert "yesterdays" not in repr(needed)
        await until(lambda: world.of(Stale))
        assert world.of(Stale)[0].retry_in is None
        await world.time.run(3600, step=30)
        assert len(world.kite.handshakes) == 1
        assert world.time.waits() == []
        world.stream.renew("todays")
        seat = await world.seat(1)
        await until(lambda: seat.modes == dict.fromkeys(KEYS, "full"))
        assert seat.query["access_token"] == "todays"  # noqa: S105 - a word, no secret
        assert len(world.of(LoginNeeded)) == 1


async def test_a_token_that_dies_during_the_day_asks_once_for_all_connections() -> None:
    async with stream_world(limits=StreamLimits(tokens=1)) as world:
        world.stream.subscribe(KEYS)
        await world.stream.open()
        await until(lambda: all(world.stream.connected) and len(world.kite.seats) == 2)
        world.kite.tokens = {"newtoken"}
        for seat in world.kite.seats:
            seat.break_off()
        await until(lambda: len(world.of(Stale)) == 2)
        await world.time.run_wait(0.95)
        await until(lambda: world.of(LoginNeeded))
        await until(lambda: not world.time.waits())
        await world.time.run(600, step=10)
        assert len(world.of(LoginNeeded)) == 1
        assert len(world.kite.handshakes) <= 4
        world.stream.renew("newtoken")
        await until(lambda: all(world.stream.connected))
        assert [connected.again for connected in world.of(Connected)] == [False, False, True, True]


async def test_a_new_login_replaces_every_connection_at_once() -> None:
    async with stream_world() as world:
        await streaming(world)
        world.stream.renew("second")
        seat = await world.seat(2)
        assert seat.query["access_token"] == "second"  # noqa: S105 - a word, no secret
        await until(lambda: seat.modes == dict.fromkeys(KEYS, "full"))
        await until(lambda: world.kite.seats[0].gone)
        assert world.kite.seats[0].close_code == 1000, "so that Kite does not count it any more"
        assert [stale.retry_in for stale in world.of(Stale)] == [0.0]


async def test_without_a_token_nothing_is_tried() -> None:
    async with stream_world(token="") as world:
        await world.stream.open()
        await world.time.run(60)
        assert world.kite.handshakes == []
        world.stream.renew("first")
        await until(lambda: world.of(Connected))
        assert world.kite.handshakes[0]["access_token"] == "first"  # noqa: S105 - a word, no secret


@pytest.mark.parametrize(
    "answer", [Answer(500, "<html>"), Answer(502), Answer(503), Answer(504), Answer(400)]
)
async def test_an_ill_server_is_tried_again_after_waits_that_double(answer: Answer) -> None:
    async with stream_world() as world:
        world.kite.answers = [answer] * len(WAITS)
        world.stream.subscribe(KEYS)
        await world.stream.open()
        for number, wait in enumerate(WAITS, start=1):
            await world.time.run_wait(wait)
            await until(lambda number=number: len(world.kite.handshakes) == number + 1)
        await world.seat(1)
        await until(lambda: world.stream.connected == (True,))
        assert not world.of(LoginNeeded)
        assert [type(report) for report in world.told] == [Stale, Connected], "told once, not at every try"
        assert f"Kite answered {answer.status}" in world.of(Stale)[0].reason


@pytest.mark.parametrize(("retry_after", "wait"), [("", 5.0), ("60", 60.0), ("soon", 5.0)])
async def test_too_many_requests_are_answered_with_patience(retry_after: str, wait: float) -> None:
    async with stream_world() as world:
        world.kite.answers = [Answer(429, "Too many requests", retry_after)]
        await world.stream.open()
        await world.time.run_wait(wait)
        await world.seat(1)


async def test_a_server_that_takes_and_drops_is_not_stormed() -> None:
    async with stream_world() as world:
        world.kite.hang_up = True
        await world.stream.open()
        for number, wait in enumerate(WAITS, start=1):
            await until(lambda number=number: len(world.kite.handshakes) == number)
            await world.time.run_wait(wait)
        assert len(world.kite.handshakes) <= len(WAITS) + 1


async def test_after_a_good_connection_waits_begin_small_again() -> None:
    async with stream_world() as world:
        world.kite.answers = [Answer(503)] * 3
        await world.stream.open()
        for wait in WAITS[:3]:
            await world.time.run_wait(wait)
        seat = await world.seat(1)
        for beat in range(1, 9):
            await seat.send(HEARTBEAT)
            await until(lambda beat=beat: world.stream.tally.heartbeats == beat)
            await world.time.run(8)
        seat.break_off()
        await world.time.run_wait(0.95)
        await world.seat(2)


async def test_a_closed_port_and_an_unknown_host_are_waited_for() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"ws://127.0.0.1:{taken.getsockname()[1]}"
        for url in (closed, "ws://no.such.host.invalid"):
            time, told = SteppedTime(), list[Report]()
            stream = KiteStream(url, "k", "secret", time=time, dice=lambda: 0.9, on_report=told.append)
            await stream.open()
            await time.run_wait(0.95)
            await time.run_wait(1.9)
            await stream.close()
            (stale,) = told
            assert isinstance(stale, Stale)
            assert stale.reason.startswith("could not connect: ")
            assert "secret" not in stale.reason


async def test_an_address_the_library_repeats_in_its_complaint_is_told_without_the_token() -> None:
    time, told = SteppedTime(), list[Report]()
    url = "ws://127.0.0.1:9/#kite"  # a fragment: websockets quotes the whole address
    stream = KiteStream(url, "thekey", "secret", time=time, dice=lambda: 0.9, on_report=told.append)
    await stream.open()
    await time.run_wait(0.95)
    await stream.close()
    (stale,) = told
    assert isinstance(stale, Stale)
    assert "127.0.0.1" in stale.reason
    assert "secret" not in stale.reason
    assert "thekey" not in stale.reason


async def test_a_handshake_without_an_answer_is_given_up() -> None:
    silent: list[asyncio.StreamWriter] = []

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.append(writer)

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    time, told = SteppedTime(), list[Report]()
    stream = KiteStream(url, "thekey", "thetoken", time=time, dice=lambda: 0.9, on_report=told.append)
    try:
        await stream.open()
        await until(lambda: silent)
        await time.run_wait(10.0)
        await time.run_wait(0.95)
        await until(lambda: len(silent) == 2)
        assert [report.reason for report in told if isinstance(report, Stale)] == [
            "could not connect: the handshake took more than 10 s"
        ]
    finally:
        await stream.close()
        for writer in silent:
            writer.close()
        server.close()


async def test_damaged_frames_and_garbled_texts_are_told_at_doubling_counts_and_the_rest_goes_on() -> None:
    async with stream_world() as world:
        await streaming(world)
        seat = world.kite.seats[0]
        await anext(world.stream.ticks)
        for _ in range(9):
            await seat.send(frame(full(SBIN, 81_005))[:-1], '{"type":"order","data":')
        await seat.send(frame(b"x" * 9, ltp(SBIN, 81_010)))
        assert [tick.last for tick in await anext(world.stream.ticks)] == [810.1]
        told = [(report.text, report.count) for report in world.of(Unreadable)]
        assert [count for text, count in told if text] == [1, 2, 4, 8]
        assert [count for text, count in told if not text] == [1, 2, 4, 8, 1]
        assert (world.stream.tally.damaged, world.stream.tally.skipped) == (9, 1)
        assert world.stream.connected == (True,)


async def test_a_listener_that_raises_does_not_cost_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Report] = []

    def fail(report: Report) -> None:
        heard.append(report)
        raise RuntimeError("the listener is broken")

    async with stream_world(on_report=fail) as world:
        await streaming(world)
        assert len(await anext(world.stream.ticks)) == 2
        assert [type(report) for report in heard] == [Connected, Fresh]
        assert "Nobody understood Connected" in caplog.text


async def test_the_token_is_in_no_log_and_no_report(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with stream_world() as world:
        world.kite.answers = [Answer(500, "you are thekey morningtoken")]
        await world.stream.open()
        await world.time.run_wait(0.95)
        seat = await world.seat(1)
        await seat.send('{"type":"error","data":"morningtoken"}', "morningtoken")
        await until(lambda: world.of(Unreadable))
        seat.break_off()
        await until(lambda: len(world.of(Stale)) == 2)
        ours = [record for record in caplog.records if not record.name.startswith("websockets.server")]
        for text in [*map(repr, world.told), *(record.getMessage() for record in ours)]:
            assert "morningtoken" not in text
            assert "thekey" not in text
