"""The local Kite's stream: frames the official decoder reads, order updates, and a socket's bad days."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from kiteconnect import KiteTicker

from sandbox.kite import Kind, Listing
from sandbox.kite.market import Level, Quote
from sandbox.kite.packets import Mode, frame, packet
from tests.sandbox.kite_seat import MOCKS, MONDAY, Seat, seated

INFY, NIFTY = 408065, 256265
ORACLE = KiteTicker("k", "t")
ENDS = {
    aiohttp.WSMsgType.CLOSE,
    aiohttp.WSMsgType.CLOSED,
    aiohttp.WSMsgType.CLOSING,
    aiohttp.WSMsgType.ERROR,
}


class Listener:
    """A plain client that keeps everything it is sent."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.ticks: list[dict[str, Any]] = []
        self.texts: list[dict[str, Any]] = []
        self.heartbeats = 0
        self.ended = False
        self.pongs = 0
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while (message := await self.socket.receive()).type not in ENDS:
            if message.type is aiohttp.WSMsgType.BINARY:
                self.heartbeats += message.data == b"\x00"
                self.ticks += ORACLE._parse_binary(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                self.texts.append(json.loads(message.data))
            elif message.type is aiohttp.WSMsgType.PONG:
                self.pongs += 1
            self._news.set()
        self.ended = True
        self._news.set()

    async def until(self, truth: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not truth():
                await self._news.wait()
                self._news.clear()

    async def say(self, action: str, value: Any) -> None:
        await self.socket.send_str(json.dumps({"a": action, "v": value}))

    async def subscribe(self, mode: str, *tokens: int) -> None:
        """Returns with the snapshots in the mode asked for."""
        await self.say("subscribe", list(tokens))
        await self.say("mode", [mode, list(tokens)])
        await self.until(
            lambda: {one["instrument_token"] for one in self.ticks if one["mode"] == mode} >= set(tokens)
        )
        self.ticks.clear()

    @property
    def orders(self) -> list[dict[str, Any]]:
        return [text["data"] for text in self.texts if text["type"] == "order"]

    def has_error(self) -> bool:
        return any(text["type"] == "error" for text in self.texts)

    async def leave(self) -> None:
        self._reading.cancel()
        await self.socket.close()


@pytest_asyncio.fixture
async def seat() -> AsyncIterator[Seat]:
    async with seated(heartbeat=60) as seat:
        seat.server.market.price("NSE:INFY", 1500.0)
        seat.server.market.price("NSE:NIFTY 50", 24_510.5)
        yield seat


@pytest_asyncio.fixture
async def connect(seat: Seat) -> AsyncIterator[Callable[..., Any]]:
    listeners: list[Listener] = []
    async with aiohttp.ClientSession() as session:

        async def open_one(token: str | None = None) -> Listener:
            query = {"api_key": seat.kite.api_key, "access_token": token or seat.kite.access_token}
            listener = Listener(
                await session.ws_connect(seat.server.stream_url, params=query, autoping=False)
            )
            listeners.append(listener)
            return listener

        yield open_one
        seat.server.heal()
        for listener in listeners:
            await listener.leave()


async def test_a_connection_begins_with_two_texts_and_no_acknowledgements(connect: Any) -> None:
    listener = await connect()
    await listener.until(lambda: len(listener.texts) == 2)
    assert [text["type"] for text in listener.texts] == ["instruments_meta", "app_code"]
    assert listener.texts[1]["timestamp"] == "2026-11-23T10:00:00+05:30"
    await listener.say("subscribe", [INFY])
    await listener.until(lambda: listener.ticks)
    assert (listener.ticks[0]["mode"], listener.ticks[0]["last_price"]) == ("quote", 1500.0)
    assert len(listener.texts) == 2


@pytest.mark.parametrize(("mode", "last"), [("ltp", 1501.0), ("quote", 1502.0), ("full", 1503.0)])
async def test_ticks_come_in_the_mode_asked_for(seat: Seat, connect: Any, mode: str, last: float) -> None:
    listener = await connect()
    await listener.subscribe(mode, INFY, NIFTY)
    seat.server.market.price("NSE:INFY", last, quantity=7, volume=900)
    seat.server.market.price("NSE:NIFTY 50", 24_600.0)
    await listener.until(lambda: len(listener.ticks) == 2)
    index, share = sorted(listener.ticks, key=lambda tick: tick["instrument_token"])
    assert [(one["mode"], one["tradable"]) for one in (share, index)] == [(mode, True), (mode, False)]
    assert (share["last_price"], index["last_price"]) == (last, 24_600.0)
    if mode == "ltp":
        return
    assert share["ohlc"] == {"open": 1500.0, "high": last, "low": 1500.0, "close": 1520.0}
    assert index["ohlc"] == {"open": 24_510.5, "high": 24_600.0, "low": 24_510.5, "close": 24_500.0}
    assert (share["volume_traded"], share["last_traded_quantity"]) == (900, 7)
    if mode == "full":
        assert (
            share["exchange_timestamp"].timestamp()
            == index["exchange_timestamp"].timestamp()
            == MONDAY.timestamp()
        )
        assert share["depth"]["buy"][0] == {"quantity": 5000, "price": round(last - 0.1, 2), "orders": 1}
        assert len(share["depth"]["sell"]) == 5


@pytest.mark.parametrize(
    ("segment", "tick"),
    [(1, 0.05), (2, 0.05), (3, 0.0025), (4, 0.01), (5, 0.05), (6, 0.0025), (7, 1), (12, 0.01)],
)
@pytest.mark.parametrize("mode", list(Mode))
def test_every_segments_prices_survive_the_official_decoder(segment: int, tick: float, mode: Mode) -> None:
    listing = Listing(1000 << 8 | segment, "X", "Y", "Z", 90.5, tick_size=tick)
    quote = Quote(listing, close=90.5, last=91.25, open=90.0, high=92.0, low=89.75, last_quantity=3,
                  volume=1200, turnover=109_200.0, oi=5, oi_high=6, oi_low=4, traded_at=MONDAY,
                  bids=[Level(91.0, 10, 2)], asks=[Level(91.5, 20, 4)])  # fmt: skip
    other = Quote(Listing(1001 << 8 | segment, "X", "Y2", "Z", 1.0), close=1.0, last=1.0)
    first, second = ORACLE._parse_binary(frame([packet(quote, mode), packet(other, mode)]))
    assert (first["last_price"], second["last_price"], first["mode"]) == (91.25, 1.0, mode)
    if mode is not Mode.LTP:
        assert first["ohlc"] == {"open": 90.0, "high": 92.0, "low": 89.75, "close": 90.5}
        assert (first["average_traded_price"], first["total_buy_quantity"], first["total_sell_quantity"]) == (
            91.0,
            10,
            20,
        )
    if mode is Mode.FULL:
        assert (first["oi"], first["oi_day_high"], first["oi_day_low"]) == (5, 6, 4)
        assert first["depth"]["sell"][:2] == [
            {"quantity": 20, "price": 91.5, "orders": 4}, {"quantity": 0, "price": 0.0, "orders": 0},
        ]  # fmt: skip


def test_the_official_packet_comes_out_byte_for_byte() -> None:
    path = MOCKS / "ticker_full.packet"
    if not path.exists():
        pytest.skip(f"The official samples are not at {MOCKS}")
    body = base64.b64decode(path.read_text())
    tick = ORACLE._parse_binary(frame([body]))[0]
    depth = {side: [Level(one["price"], one["quantity"], one["orders"]) for one in rows]
             for side, rows in tick["depth"].items()}  # fmt: skip
    total = sum(level.quantity for level in depth["buy"])
    volume = tick["volume_traded"]
    quote = Quote(
        Listing(tick["instrument_token"], "NSE", "INFY", "INFOSYS", 1567.8),
        last=tick["last_price"],
        last_quantity=tick["last_traded_quantity"],
        volume=volume,
        turnover=tick["average_traded_price"] * volume,
        traded_at=tick["last_trade_time"].astimezone(),
        bids=depth["buy"],
        asks=depth["sell"],
        **tick["ohlc"],
    )
    made = packet(quote, Mode.FULL)
    assert total != tick["total_buy_quantity"]  # theirs counts the whole book, ours the five levels
    assert made[:20] == body[:20]
    assert made[28:] == body[28:]


async def test_prices_that_pile_up_are_conflated_and_unsubscribed_ones_stop(seat: Seat, connect: Any) -> None:
    listener = await connect()
    await listener.subscribe("ltp", INFY, NIFTY)
    for last in (1501.0, 1502.0, 1503.0):
        seat.server.market.price("NSE:INFY", last)
    await listener.until(lambda: listener.ticks)
    assert [tick["last_price"] for tick in listener.ticks] == [1503.0]
    await listener.say("unsubscribe", [INFY])
    await listener.say("nonsense", 5)  # its error text proves that the line before was read
    await listener.until(listener.has_error)
    seat.server.market.price("NSE:INFY", 1504.0)
    seat.server.market.price("NSE:NIFTY 50", 24_511.0)
    await listener.until(lambda: len(listener.ticks) == 2)
    assert listener.ticks[-1]["instrument_token"] == NIFTY


async def test_a_bad_token_or_no_data_plan_is_a_403_at_the_handshake(seat: Seat, connect: Any) -> None:
    for ruin in (lambda: connect("bad"), connect):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await ruin()
        assert caught.value.status == 403
        seat.server.session.data_plan = False
    assert seat.server.stream.refused == 2


async def test_the_fourth_connection_and_the_3001st_token_are_too_many(seat: Seat, connect: Any) -> None:
    first = await connect()
    for _ in range(2):
        await connect()
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await connect()
    assert caught.value.status == 429
    await first.say("subscribe", list(range(1, 3002)))
    await first.until(first.has_error)
    assert "1 not subscribed" in first.texts[-1]["data"]
    assert not first.ended


async def test_order_updates_reach_every_connection_with_the_samples_keys(seat: Seat, connect: Any) -> None:
    listeners = [await connect() for _ in range(2)]
    seat.server.market.price("NSE:INFY", 1500.0, ask_quantity=4)
    order_id = await seat.place(price=1500.1, tag="mine")
    for listener in listeners:
        await listener.until(lambda listener=listener: listener.orders)
    update = listeners[0].orders[0]
    assert (update["status"], update["filled_quantity"], update["unfilled_quantity"]) == ("UPDATE", 4, 6)
    assert (update["order_id"], update["tag"], update["checksum"]) == (order_id, "mine", "")
    if (MOCKS / "postback.json").exists():
        documented = set(json.loads((MOCKS / "postback.json").read_text()))
        assert set(update) == documented | {"account_id", "tags"}
    await seat.call("modify_order", variety="regular", order_id=order_id, price=1400.0)
    await seat.call("cancel_order", variety="regular", order_id=order_id)
    seat.server.app.order("NSE:INFY", "BUY", 1)  # by hand, on another platform
    await listeners[1].until(lambda: len(listeners[1].orders) == 4)
    assert [one["status"] for one in listeners[1].orders] == ["UPDATE", "UPDATE", "CANCELLED", "COMPLETE"]


async def test_order_updates_are_doubled_swapped_lost_and_untagged_on_demand(
    seat: Seat, connect: Any
) -> None:
    listener, faults = await connect(), seat.server.faults
    faults.add(Kind.NULL_TAGS)
    faults.add(Kind.LOSE)
    await seat.place(price=1501.0, tag="a", quantity=1)
    faults.add(Kind.DUPLICATE)
    await seat.place(price=1501.0, tag="b", quantity=1)
    faults.add(Kind.REORDER)
    await seat.place(price=1501.0, tag="c", quantity=1)
    faults.add(Kind.NULL_TAGS)
    await seat.place(price=1501.0, tag="d", quantity=1)
    await listener.until(lambda: len(listener.orders) == 4)
    assert [one["tag"] for one in listener.orders] == ["b", "b", None, "c"]


async def test_an_order_update_may_overtake_the_answer_to_the_order(seat: Seat, connect: Any) -> None:
    listener = await connect()
    seat.server.faults.add(Kind.SLOW, "place", accepted=True)
    placing = asyncio.create_task(seat.place(price=1501.0))
    await listener.until(lambda: listener.orders)
    assert not placing.done()
    seat.server.heal()
    assert await placing == listener.orders[0]["order_id"]


async def test_a_frozen_feed_still_beats_and_a_muted_instrument_is_silent_alone(
    seat: Seat, connect: Any
) -> None:
    listener = await connect()
    await listener.subscribe("ltp", INFY, NIFTY)
    seat.server.faults.add(Kind.FROZEN)
    seat.server.stream.heartbeat = 0.02
    another = await connect()
    seat.server.market.price("NSE:INFY", 1501.0)
    await another.until(lambda: another.heartbeats >= 2)
    assert listener.ticks == []
    seat.server.faults.clear()
    seat.server.faults.add(Kind.MUTE, "NSE:INFY")
    seat.server.market.price("NSE:INFY", 1502.0)
    seat.server.market.price("NSE:NIFTY 50", 24_512.0)
    await listener.until(lambda: listener.ticks)
    assert [tick["instrument_token"] for tick in listener.ticks] == [NIFTY]


async def test_modes_may_go_unheard(seat: Seat, connect: Any) -> None:
    listener = await connect()
    seat.server.faults.add(Kind.DEAF)
    await listener.say("subscribe", [INFY])
    await listener.say("mode", ["full", [INFY]])
    await listener.say("nonsense", 5)
    await listener.until(listener.has_error)
    seat.server.market.price("NSE:INFY", 1501.0)
    await listener.until(lambda: listener.ticks and listener.ticks[-1]["last_price"] == 1501.0)
    assert {tick["mode"] for tick in listener.ticks} == {"quote"}


async def test_a_half_open_stream_says_and_answers_nothing_while_a_new_one_works(
    seat: Seat, connect: Any
) -> None:
    dead = await connect()
    await dead.subscribe("ltp", INFY)
    await dead.socket.ping()
    await dead.until(lambda: dead.pongs == 1)
    seat.server.faults.add(Kind.HALF_OPEN)
    await dead.socket.ping()
    fresh = await connect()
    await fresh.subscribe("ltp", INFY)
    seat.server.market.price("NSE:INFY", 1501.0)
    await fresh.until(lambda: fresh.ticks)
    assert (dead.ticks, dead.pongs, dead.ended) == ([], 1, False)
    seat.server.faults.clear()
    await dead.until(lambda: dead.pongs == 2)


@pytest.mark.parametrize("kind", [Kind.DROP_STREAM, Kind.KILL_TOKEN, Kind.OTHER_LOGIN])
async def test_streams_are_cut_without_a_word(seat: Seat, connect: Any, kind: Kind) -> None:
    listener = await connect()
    seat.server.faults.add(kind)
    await listener.until(lambda: listener.ended)
    assert seat.server.stream.opened == 1


async def test_at_six_in_the_morning_streams_end(seat: Seat, connect: Any) -> None:
    listener = await connect()
    seat.wait(20 * 3600)
    await listener.until(lambda: listener.ended)


async def test_a_notice_of_the_broker_is_a_message(seat: Seat, connect: Any) -> None:
    listener = await connect()
    await listener.until(lambda: len(listener.texts) == 2)
    seat.server.stream.notice("Markets are volatile")
    await listener.until(lambda: len(listener.texts) == 3)
    assert listener.texts[-1] == {"type": "message", "data": "Markets are volatile"}
