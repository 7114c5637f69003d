"""Frames that are cut, lie or are noise: nothing raises, and no tick comes out that was not sent."""

from __future__ import annotations

import random
import struct
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.kite_stream_frames import frame, full, index_full, keys_of, ltp, quote, token
from trader.broker.zerodha.stream.frames import read_frame
from trader.broker.zerodha.stream.packets import packets_of
from trader.broker.zerodha.stream.ticks import Tally, ticks_of
from trader.domain.market import Tick
from trader.domain.times import IST

RECEIVED = datetime(2026, 11, 23, 9, 30, tzinfo=IST)
AT = int(RECEIVED.timestamp())


def some_packets(chance: random.Random, count: int) -> list[bytes]:
    """Prices a market has; each instrument once."""
    made = []
    for number in chance.sample(range(1, 60_000), count):
        price = chance.randrange(20_000, 400_000)
        kind = chance.randrange(4)
        if kind == 0:
            made.append(ltp(token(number), price))
        elif kind == 1:
            made.append(quote(token(number), price, chance.randrange(1, 10_000_000)))
        elif kind == 2:
            made.append(full(token(number), price, chance.randrange(1, 10_000_000), AT))
        else:
            made.append(index_full(token(number, 9), price * 10, AT))
    return made


def ticks(data: bytes, keys: dict[int, str]) -> list[Tick]:
    return ticks_of(read_frame(data), keys, RECEIVED, Tally())  # type: ignore[arg-type]  # a key is a str


def keys_in(packets: list[bytes]) -> dict[int, str]:
    return dict(keys_of(*(struct.unpack(">I", body[:4])[0] for body in packets)))


@given(st.binary(max_size=600) | st.binary(max_size=600).map(lambda noise: b"\x00\x03" + noise))
def test_noise_never_raises(noise: bytes) -> None:
    found = read_frame(noise)
    packets_of(found)
    tally = Tally()
    ticks_of(found, {}, RECEIVED, tally)
    assert tally.heartbeats + tally.damaged + tally.frames == 1
    assert not (found.fault and found.groups)


@pytest.mark.parametrize("heartbeat", [b"\x00", b""])
def test_a_heartbeat_is_no_damage(heartbeat: bytes) -> None:
    assert read_frame(heartbeat) == read_frame(b"\x00")
    assert read_frame(heartbeat).heartbeat
    assert not read_frame(heartbeat).fault


def test_an_announced_nothing_is_nothing() -> None:
    found = read_frame(b"\x00\x00")
    assert (found.groups, found.packets, found.fault, found.heartbeat) == ((), 0, "", False)


def test_a_frame_cut_anywhere_is_dropped_as_a_whole() -> None:
    whole = frame(*some_packets(random.Random(7), 6))
    for end in range(2, len(whole)):
        found = read_frame(whole[:end])
        assert found.fault
        assert not found.groups


@pytest.mark.parametrize("alike", [True, False], ids=["one kind", "several kinds"])
def test_bytes_behind_the_last_packet_spoil_the_frame(alike: bool) -> None:
    sent = [full(token(n), 5_000, at=AT) for n in range(3)] + ([] if alike else [ltp(token(9), 5_000)])
    assert read_frame(frame(*sent) + b"\x00").fault


def test_a_lie_about_count_or_length_yields_no_tick_that_was_not_sent() -> None:
    """Only a coincidence of one in tens of thousands makes wrong lengths add up again; the seed has none."""
    chance = random.Random(20261123)
    told_true = 0
    for _ in range(3000):
        sent = some_packets(chance, chance.randrange(1, 9))
        data, keys = bytearray(frame(*sent)), keys_in(sent)
        said = set(ticks(bytes(data), keys))
        headers = [0, 2]
        for body in sent[:-1]:
            headers.append(headers[-1] + 2 + len(body))
        lie = chance.choice([0, 8, 28, 32, 44, 184, chance.randrange(400), chance.randrange(1 << 16)])
        where = chance.choice(headers)
        before = data[where : where + 2]
        data[where : where + 2] = struct.pack(">H", lie)
        found = ticks(bytes(data), keys)
        if before == data[where : where + 2]:
            told_true += 1
            assert set(found) == said
        else:
            assert found == []
    assert 0 < told_true < 1000


def test_mutated_frames_never_raise_and_keep_their_number() -> None:
    chance = random.Random(4)
    for _ in range(3000):
        sent = some_packets(chance, chance.randrange(1, 9))
        data = bytearray(frame(*sent))
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        tally = Tally()
        found = read_frame(bytes(data))
        packets_of(found)
        made = ticks_of(found, keys_of(*keys_in(sent)), RECEIVED, tally)
        left_out = tally.skipped + tally.strangers + tally.unpriced
        assert tally.damaged or len(made) + left_out == found.packets
        assert all(0.0 < tick.last < 1 << 31 for tick in made)
