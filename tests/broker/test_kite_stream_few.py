"""Packet by packet or as columns: the same ticks, the same tally, the same faults."""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.kite_stream_frames import (
    KINDS,
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
from trader.broker.zerodha.stream import frames
from trader.broker.zerodha.stream.few import few_ticks
from trader.broker.zerodha.stream.frames import (
    FEW,
    FEW_MIXED,
    Frame,
    cut_frame,
    read_frame,
    whole_frame,
)
from trader.broker.zerodha.stream.layout import Mode
from trader.broker.zerodha.stream.ticks import Tally, column_ticks, ticks_of
from trader.domain.instrument import InstrumentKey
from trader.domain.times import IST

RECEIVED = datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=IST)
AT = int(RECEIVED.timestamp()) - 1
Keys = dict[int, InstrumentKey]
Made = tuple[list[Any], Tally]


def made(way: Callable[..., list[Any]], found: Frame, keys: Keys) -> Made:
    """Every value with its type, for 1 equals 1.0 and a tick equals a received one."""
    tally = Tally()
    ticks = way(found, keys, RECEIVED, tally)
    return [(type(tick), [(type(value), value) for value in tick]) for tick in ticks], tally


def tokens_in(sent: list[bytes]) -> list[int]:
    return [struct.unpack(">I", body[:4])[0] for body in sent if len(body) in KINDS]


def counted(data: bytes) -> int:
    return struct.unpack(">H", data[:2])[0]


def shape(found: Frame) -> list[Any]:
    return [(group.layout, group.rows.tobytes(), group.places) for group in found.groups]


def same_both_ways(data: bytes, keys: Keys) -> Made:
    cut = cut_frame(data, counted(data))
    by_packet, by_column = made(few_ticks, cut, keys), made(column_ticks, cut, keys)
    assert by_packet == by_column
    whole = whole_frame(data, counted(data))
    if whole is not None:
        assert made(column_ticks, whole, keys) == by_packet
    return by_packet


@given(st.lists(bodies() | strange_bodies(), max_size=40), st.randoms(use_true_random=False))
def test_mixed_frames_make_the_same_ticks_both_ways(sent: list[bytes], chance: random.Random) -> None:
    known = [name for name in tokens_in(sent) if chance.random() < 0.8]
    ticks, tally = same_both_ways(frame(*sent), keys_of(*known))
    assert len(ticks) + tally.strangers + tally.unpriced == len(tokens_in(sent))


@given(st.data(), st.sampled_from(KINDS))
def test_frames_of_one_kind_are_cut_as_they_are_read_whole(data: st.DataObject, kind: int) -> None:
    sent = data.draw(st.lists(bodies((kind,)), min_size=1, max_size=40))
    text = frame(*sent)
    whole, cut = whole_frame(text, len(sent)), cut_frame(text, len(sent))
    assert whole is not None
    assert shape(whole) == shape(cut)
    assert (whole.packets, whole.skipped, whole.fault, whole.known) == (len(sent), (), "", True)
    assert (cut.packets, cut.skipped, cut.fault, cut.known) == (len(sent), (), "", True)
    same_both_ways(text, keys_of(*tokens_in(sent)))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda name: ltp(name, 157_370), id="ltp"),
        pytest.param(lambda name: quote(name, 157_370, 0xFFFFFFF0), id="quote"),
        pytest.param(lambda name: full(name, 157_370, 5, AT), id="full"),
        pytest.param(lambda name: index_quote(name, 2_615_045, -1_250), id="index quote"),
        pytest.param(lambda name: index_full(name, 2_615_045, AT), id="index full"),
    ],
)
def test_every_kind_in_every_segment_is_the_same_both_ways(body: Callable[[int], bytes]) -> None:
    for segment in range(256):
        name = token(77, segment)
        ticks, tally = same_both_ways(frame(body(name)), keys_of(name))
        assert (len(ticks), tally) == (1, Tally())


@pytest.mark.parametrize("place", [4, 68, 128], ids=["last price", "bid", "ask"])
@pytest.mark.parametrize(("raw", "meant"), [((1 << 31) - 1, True), (1 << 31, False), (0xFFFFFFFF, False)])
def test_a_price_with_its_top_bit_set_is_left_out_both_ways(place: int, raw: int, meant: bool) -> None:
    body = bytearray(full(token(3), 157_370, at=AT))
    body[place : place + 4] = struct.pack(">I", raw)
    ticks, tally = same_both_ways(frame(bytes(body)), keys_of(token(3)))
    assert (len(ticks), tally.unpriced) == (meant, not meant)


def test_a_stranger_without_a_price_is_a_stranger_both_ways() -> None:
    _, tally = same_both_ways(frame(ltp(token(3), 0)), {})
    assert tally == Tally(strangers=1)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Frames with some bytes overwritten, cut off or put behind."""
    data = bytearray(frame(*draw(st.lists(bodies() | strange_bodies(), max_size=20))))
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(2, len(data)))]) + draw(st.binary(max_size=3))


@given(damaged() | st.binary(min_size=2, max_size=600))
def test_damage_is_the_same_both_ways(data: bytes) -> None:
    cut, read = cut_frame(data, counted(data)), read_frame(data)
    assert read[0] == cut.packets == counted(data)
    assert (read.skipped, read.fault, read.heartbeat, read.known) == (
        cut.skipped, cut.fault, False, cut.known,
    )  # fmt: skip
    assert shape(read) == shape(cut)
    if whole_frame(data, counted(data)) is not None:
        assert not cut.fault
    if cut.fault:
        assert not cut.cuts
        assert not cut.known
    same_both_ways(data, keys_of(*(name for _, names in cut.heard() for name in names)))


@pytest.mark.parametrize("packets", [1, FEW + 1], ids=["few", "many"])
def test_damage_is_told_in_the_same_words_however_many_packets_there_are(packets: int) -> None:
    sent = [full(token(n), 5_000, at=AT) for n in range(packets)]
    data = frame(*sent)
    size = len(data)
    lying = struct.pack(">H", packets + 1) + data[2:]
    said = [read_frame(each).fault for each in (data + b"!", data[:-1], lying, lying + b"!", data)]
    assert said == [
        f"1 bytes after the last of {packets} packets",
        f"packet {packets} of {packets} has 183 of its 184 bytes",
        f"{packets + 1} packets announced, {packets} sent",
        f"{packets + 1} packets announced, {packets} sent",
        "",
    ]
    assert len(data) == size


@pytest.mark.parametrize("lie", [8, 28, 183, 185, 0xFFFF])
@pytest.mark.parametrize("liar", [1, FEW // 2, FEW])
def test_one_wrong_length_spoils_a_frame_of_many(liar: int, lie: int) -> None:
    """Its size alone looks right."""
    sent = [full(token(n), 5_000, at=AT) for n in range(FEW + 1)]
    data = bytearray(frame(*sent))
    data[2 + 186 * liar : 4 + 186 * liar] = struct.pack(">H", lie)
    found, tally = read_frame(bytes(data)), Tally()
    assert found.fault
    assert ticks_of(found, keys_of(*tokens_in(sent)), RECEIVED, tally) == []
    assert tally == Tally(damaged=1)


def test_packets_beside_unknown_ones_keep_their_places() -> None:
    (group,) = read_frame(frame(ltp(token(1), 500), b"what", ltp(token(2), 600))).groups
    assert group.places == (0, 2)


@given(st.lists(bodies() | strange_bodies(), max_size=20))
def test_what_was_heard_is_what_the_groups_hold(sent: list[bytes]) -> None:
    found = read_frame(frame(*sent))
    heard: dict[Mode, list[int]] = defaultdict(list)
    held: dict[Mode, list[int]] = defaultdict(list)
    for mode, names in found.heard():
        heard[mode] += names
    for group in found.groups:
        held[group.layout.mode] += group.number("token").tolist()
    assert {mode: sorted(names) for mode, names in heard.items()} == {
        mode: sorted(names) for mode, names in held.items()
    }
    assert found.known == bool(found.groups) == bool(tokens_in(sent))


@pytest.mark.parametrize(
    ("count", "mixed", "few"),
    [(1, False, True), (FEW, False, True), (FEW + 1, False, False), (FEW_MIXED, True, True),
     (FEW_MIXED + 1, True, False)],
)  # fmt: skip
def test_few_packets_are_read_one_by_one_and_many_as_columns(count: int, mixed: bool, few: bool) -> None:
    sent = [full(token(n), 5_000 + n, n, AT) for n in range(1, count + 1)]
    if mixed:
        sent[-1] = ltp(token(count), 5_000 + count)
    found, tally = read_frame(frame(*sent)), Tally()
    assert found.few is few
    names = tokens_in(sent)
    assert sorted(name for _, heard in found.heard() for name in heard) == names
    ticks = ticks_of(found, keys_of(*names), RECEIVED, tally)
    assert [tick.last for tick in ticks] == [(5_000 + n) / 100 for n in range(1, count + 1)]
    assert tally == Tally(frames=1, packets=count, ticks=count)


def test_few_packets_are_read_without_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be made in the way of an order."""

    def columns(*_: object) -> None:
        raise AssertionError("columns were made")

    monkeypatch.setattr(frames.np, "frombuffer", columns)
    found = read_frame(frame(full(token(3), 157_370, at=AT), index_full(token(4, 9), 2_615_045, AT)))
    assert found.known
    assert list(found.heard()) == [(Mode.FULL, [token(3)]), (Mode.FULL, [token(4, 9)])]
    ticks = ticks_of(found, keys_of(token(3), token(4, 9)), RECEIVED, Tally())
    assert [tick.last for tick in ticks] == [1573.7, 26150.45]
    with pytest.raises(AssertionError, match="columns were made"):
        _ = found.groups
