"""Our decoder against the one of Zerodha's own client, field by field."""

from __future__ import annotations

import base64
import json
import os
import struct
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.kite_stream_frames import (
    bodies,
    frame,
    full,
    index_full,
    index_quote,
    keys_of,
    ltp,
    quote,
    strange_bodies,
    token,
)
from trader.broker.zerodha.stream.frames import read_frame
from trader.broker.zerodha.stream.layout import LAYOUTS
from trader.broker.zerodha.stream.packets import Detail, Packet, packets_of
from trader.broker.zerodha.stream.ticks import ReceivedTick, Tally, ticks_of
from trader.domain.market import Tick
from trader.domain.times import IST

MOCKS = Path(__file__).resolve().parents[2].parent / "shared" / "kite-mocks"
RECEIVED = datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=IST)
AT = int(datetime(2026, 11, 23, 9, 29, 59, tzinfo=IST).timestamp())


@pytest.fixture(autouse=True, scope="module")
def _oracle_in_india() -> Iterator[None]:
    """The oracle reads times in the host's zone; ours must not care."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "IST-5:30"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def oracle(data: bytes) -> list[dict[str, Any]]:
    from kiteconnect import KiteTicker

    ticks: list[dict[str, Any]] = KiteTicker("k", "t")._parse_binary(data)
    for tick in ticks:
        for name in ("exchange_timestamp", "last_trade_time"):
            if name in tick:
                aware = tick[name].replace(tzinfo=IST)
                tick[name] = aware if aware.timestamp() else None  # 0 is "not set", 1970 is no trading day
    return ticks


def as_the_oracle_says(packet: Packet) -> dict[str, Any]:
    said: dict[str, Any] = {
        "tradable": packet.tradable,
        "mode": packet.mode.value,
        "instrument_token": packet.token,
        "last_price": packet.last_price,
    }
    if packet.ohlc is not None:
        day = packet.ohlc
        said["ohlc"] = {"open": day.open, "high": day.high, "low": day.low, "close": day.close}
        said["change"] = packet.change_percent
    if packet.traded is not None:
        said |= {
            "last_traded_quantity": packet.traded.last_quantity,
            "average_traded_price": packet.traded.average_price,
            "volume_traded": packet.traded.volume,
            "total_buy_quantity": packet.traded.buy_quantity,
            "total_sell_quantity": packet.traded.sell_quantity,
        }
    if packet.mode == "full":
        said["exchange_timestamp"] = packet.exchange_time
    if packet.detail is not None:
        said |= _detail(packet.detail)
    return said


def _detail(detail: Detail) -> dict[str, Any]:
    sides = {
        name: [{"quantity": level.quantity, "price": level.price, "orders": level.orders} for level in side]
        for name, side in (("buy", detail.buy), ("sell", detail.sell))
    }
    return {
        "last_trade_time": detail.last_trade_time,
        "oi": detail.oi,
        "oi_day_high": detail.oi_day_high,
        "oi_day_low": detail.oi_day_low,
        "depth": sides,
    }


KINDS = [
    pytest.param(ltp(token(1), 157_370), id="ltp"),
    pytest.param(quote(token(2), 157_370), id="quote"),
    pytest.param(full(token(3), 157_370, at=AT), id="full"),
    pytest.param(full(token(3), 157_370, at=0), id="full without times"),
    pytest.param(index_quote(token(4, 9), 2_615_045, -1_250), id="index quote"),
    pytest.param(index_full(token(5, 9), 2_615_045, AT, 1_250), id="index full"),
    pytest.param(quote(token(6, 3), 885_012_500), id="currency, seven decimals"),
    pytest.param(quote(token(7, 6), 885_012), id="BSE currency, four decimals"),
    pytest.param(quote(token(8, 12), 885_012), id="NCO, four decimals"),
    pytest.param(quote(token(9, 1), 157_370, volume=0xFFFFFFF0), id="volume beyond 2^31"),
]


@pytest.mark.parametrize("body", KINDS)
def test_every_kind_says_what_the_oracle_says(body: bytes) -> None:
    data = frame(body)
    expected = oracle(data)
    assert len(expected) == 1
    assert [as_the_oracle_says(packet) for packet in packets_of(read_frame(data))] == expected


@given(st.lists(bodies(), max_size=12))
def test_any_values_in_mixed_frames_say_what_the_oracle_says_in_its_order(sent: list[bytes]) -> None:
    data = frame(*sent)
    assert [as_the_oracle_says(packet) for packet in packets_of(read_frame(data))] == oracle(data)


@given(st.lists(bodies() | strange_bodies(), max_size=12))
def test_unknown_lengths_are_passed_over_and_counted(sent: list[bytes]) -> None:
    data, tally = frame(*sent), Tally()
    known = [body for body in sent if len(body) in LAYOUTS]
    found = read_frame(data)
    assert [as_the_oracle_says(packet) for packet in packets_of(found)] == oracle(frame(*known))
    ticks_of(found, {}, RECEIVED, tally)
    assert tally.skipped == len(sent) - len(known)
    assert tally.strangers == len(known)


@given(st.lists(bodies(), max_size=12))
def test_ticks_say_what_the_oracle_says(sent: list[bytes]) -> None:
    data, tally = frame(*sent), Tally()
    keys = keys_of(*(struct.unpack(">I", body[:4])[0] for body in sent))
    expected = []
    for body, said in zip(sent, oracle(data), strict=True):
        raw = [struct.unpack(">I", body[n : n + 4])[0] for n in ((4, 68, 128) if len(body) == 184 else (4,))]
        if raw[0] == 0 or max(raw) >= 1 << 31:
            continue  # no price, or one that was negative: not for the desk
        depth, at = said.get("depth"), said.get("exchange_timestamp")
        tick = Tick(
            keys[said["instrument_token"]],
            at or RECEIVED,
            said["last_price"],
            said.get("volume_traded", 0),
            depth["buy"][0]["price"] if depth else 0.0,
            depth["sell"][0]["price"] if depth else 0.0,
        )
        expected.append((tick, at is None))
    ticks = ticks_of(read_frame(data), keys, RECEIVED, tally)
    assert [(tick, isinstance(tick, ReceivedTick)) for tick in ticks] == expected
    assert all(tick.at.tzinfo is IST for tick in ticks)
    assert tally.ticks + tally.unpriced == tally.packets == len(sent)


def test_columns_are_the_ticks_in_arrays() -> None:
    sent = [full(token(n), 100_000 + n, volume=n, at=AT + n) for n in range(1, 40)]
    (group,) = read_frame(frame(*sent)).groups
    columns = group.columns()
    ticks = ticks_of(read_frame(frame(*sent)), keys_of(*columns.token.tolist()), RECEIVED, Tally())
    assert columns.last.tolist() == [tick.last for tick in ticks]
    assert columns.volume.tolist() == [tick.volume for tick in ticks]
    assert columns.bid.tolist() == [tick.bid for tick in ticks] == [1572.95] * 39
    assert columns.ask.tolist() == [tick.ask for tick in ticks] == [1573.1] * 39
    assert columns.at.tolist() == [tick.at.timestamp() for tick in ticks]
    assert columns.priced.all()


@pytest.mark.parametrize(
    "raw", [0, 1 << 31, 0xFFFFFFFB], ids=["zero", "two crore rupees", "minus five paise"]
)
def test_a_price_that_cannot_be_meant_makes_no_tick(raw: int) -> None:
    wrong, right = token(1), token(2)
    tally = Tally()
    sent = frame(ltp(wrong, raw), ltp(right, 500))
    assert [tick.last for tick in ticks_of(read_frame(sent), keys_of(wrong, right), RECEIVED, tally)] == [5.0]
    assert tally.unpriced == 1


def test_an_instrument_nobody_asked_for_makes_no_tick() -> None:
    tally = Tally()
    sent = frame(ltp(token(1), 500), ltp(token(2), 600))
    assert [tick.last for tick in ticks_of(read_frame(sent), keys_of(token(2)), RECEIVED, tally)] == [6.0]
    assert tally.strangers == 1


def test_an_index_that_fell_has_negative_points() -> None:
    (packet,) = packets_of(read_frame(frame(index_full(token(5, 9), 2_615_045, AT, -1_250))))
    assert packet.points == -12.5
    assert not packet.tradable


def test_times_do_not_depend_on_the_zone_of_the_host() -> None:
    data = frame(full(token(3), 157_370, at=AT))
    at_home = packets_of(read_frame(data))
    os.environ["TZ"] = "EST5EDT"
    time.tzset()
    try:
        abroad = packets_of(read_frame(data))
    finally:
        os.environ["TZ"] = "IST-5:30"
        time.tzset()
    assert abroad == at_home
    assert str(abroad[0].exchange_time) == "2026-11-23 09:29:59+05:30"


@pytest.mark.skipif(not MOCKS.is_dir(), reason="the official samples are not here")
@pytest.mark.parametrize("mode", ["quote", "full"])
def test_the_official_samples_decode_to_the_official_values(mode: str) -> None:
    body = base64.b64decode((MOCKS / f"ticker_{mode}.packet").read_text())
    says = json.loads((MOCKS / f"ticker_{mode}.json").read_text())
    data = frame(body)
    (packet,) = packets_of(read_frame(data))
    assert [as_the_oracle_says(packet)] == oracle(data)
    assert packet.traded is not None
    assert packet.ohlc is not None
    assert (packet.token, packet.mode, packet.tradable) == (
        says["instrument_token"], says["mode"], says["tradable"],
    )  # fmt: skip
    assert (packet.last_price, packet.traded.average_price) == (says["last_price"], says["average_price"])
    assert (packet.traded.last_quantity, packet.traded.volume) == (says["last_quantity"], says["volume"])
    assert {name: getattr(packet.ohlc, name) for name in says["ohlc"]} == says["ohlc"]
    if packet.detail is not None:
        assert _detail(packet.detail)["depth"] == says["depth"]
        assert packet.exchange_time == datetime.fromisoformat(says["timestamp"])
        assert packet.detail.last_trade_time == datetime.fromisoformat(says["last_trade_time"])
