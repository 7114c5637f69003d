"""Kite's market stream: frames decoded per second against ``KiteTicker._parse_binary`` on the same bytes, and
what 9,000 instruments at a tick a second cost, with a consumer that keeps up and with one that is stuck."""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import random
import statistics
import struct
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from multiprocessing.connection import Connection

from trader.broker.zerodha.stream.client import KiteStream
from trader.broker.zerodha.stream.frames import read_frame
from trader.broker.zerodha.stream.pacing import LoopTime
from trader.broker.zerodha.stream.packets import packets_of
from trader.broker.zerodha.stream.ticks import Tally, ticks_of
from trader.domain.instrument import InstrumentKey
from trader.domain.times import IST

AT = datetime(2026, 11, 23, 10, 0, tzinfo=IST)
INSTRUMENTS, A_FRAME, SECONDS, RUNS = 9_000, 100, 20, 7
ONE_GOAL = 0.03  # milliseconds from a frame of one packet to its tick
TOKENS = [n << 8 | (1 if n % 3 else 2) for n in range(1_000, 1_000 + INSTRUMENTS)]
KEYS = {token: InstrumentKey(f"NSE:STOCK{token >> 8}") for token in TOKENS}
ORDER = json.dumps({"type": "order", "data": {"order_id": "2026112300000000001", "status": "COMPLETE"}})


def packet(token: int, second: int) -> bytes:
    """A full packet; prices wander, volume grows."""
    chance = random.Random(token * 977 + second)
    last, at = 150_000 + chance.randrange(900), int(AT.timestamp()) + second
    head = struct.pack(
        ">16I", token, last, 7, last - 40, 1_000_000 + second * 50, 256_443, 363_009, last - 90, last + 200,
        last - 300, last - 150, at, 0, 0, 0, at,
    )  # fmt: skip
    return head + b"".join(struct.pack(">2IH2x", 10 + n, last - 5 + n, 1 + n) for n in range(10))


def frames(second: int, tokens: list[int]) -> list[bytes]:
    made = []
    for start in range(0, len(tokens), A_FRAME):
        part = tokens[start : start + A_FRAME]
        body = b"".join(struct.pack(">H", 184) + packet(token, second) for token in part)
        made.append(struct.pack(">H", len(part)) + body)
    return made


def cpu(work: Callable[[], object], count: int) -> float:
    """CPU seconds of one call, the median of runs."""
    work()
    taken = []
    for _ in range(RUNS):
        gc.collect()
        began = time.process_time()
        for _ in range(count):
            work()
        taken.append((time.process_time() - began) / count)
    return statistics.median(taken)


def decoding() -> None:
    from kiteconnect import KiteTicker

    oracle, (data, *_), tally = KiteTicker("k", "t"), frames(0, TOKENS[:A_FRAME]), Tally()
    assert [t["last_price"] for t in oracle._parse_binary(data)] == [
        tick.last for tick in ticks_of(read_frame(data), KEYS, AT, tally)
    ]
    one_packet()
    plain = cpu(lambda: oracle._parse_binary(data), 30)
    print(f"frames of {A_FRAME} full packets, CPU, median of {RUNS} runs:")
    print(f"  KiteTicker._parse_binary       {plain * 1e3:8.3f} ms {1 / plain:10,.0f} frames/s")
    for label, goal, work, count in (
        ("to columns", 50, lambda: [group.columns() for group in read_frame(data).groups], 2000),
        ("to ticks", 10, lambda: ticks_of(read_frame(data), KEYS, AT, tally), 1000),
        ("to whole packets, with depth", None, lambda: packets_of(read_frame(data)), 30),
    ):
        taken = cpu(work, count)
        aim = f", goal {goal}" if goal else ""
        times = f"({plain / taken:.1f} times{aim})"
        print(f"  {label:30} {taken * 1e3:8.3f} ms {1 / taken:10,.0f} frames/s  {times}")


def one_packet() -> None:
    """What lies between a quiet book's tick and its order."""
    from kiteconnect import KiteTicker

    oracle, (data, *_), tally = KiteTicker("k", "t"), frames(0, TOKENS[:1]), Tally()
    (said,), (tick,) = oracle._parse_binary(data), ticks_of(read_frame(data), KEYS, AT, tally)
    depth = said["depth"]
    assert (tick.last, tick.volume) == (said["last_price"], said["volume_traded"])
    assert (tick.bid, tick.ask) == (depth["buy"][0]["price"], depth["sell"][0]["price"])
    made = stream()
    plain = cpu(lambda: oracle._parse_binary(data), 3000)
    print(f"frames of one full packet, CPU, median of {RUNS} runs:")
    print(f"  KiteTicker._parse_binary       {plain * 1e3:8.4f} ms {1 / plain:10,.0f} frames/s")
    for label, work in (
        ("to a tick", lambda: ticks_of(read_frame(data), KEYS, AT, tally)),
        ("on_frame, tick in the inbox", lambda: made.on_frame(data)),
    ):
        taken = cpu(work, 3000)
        aim = f"({plain / taken:.1f} times, goal {ONE_GOAL} ms)"
        print(f"  {label:30} {taken * 1e3:8.4f} ms {1 / taken:10,.0f} frames/s  {aim}")


def stream(url: str = "ws://127.0.0.1:1") -> KiteStream:
    made = KiteStream(
        url, "k", "t", time=LoopTime(lambda: AT), dice=random.Random(1).random, on_report=lambda _: None
    )
    made.subscribe(KEYS)
    return made


async def in_memory(
    seconds: list[list[bytes]], *, stuck: bool, orders: bool = True
) -> tuple[float, KiteStream]:
    """CPU seconds for each second of market: decoding, the inbox, and taking from it unless ``stuck``; with
    an order update, which is kept, behind every frame."""
    made = stream()
    began = time.process_time()
    for second in seconds:
        for data in second:
            made.on_frame(data)
            if orders:
                made.on_text(ORDER)
            if not stuck:
                await anext(made.ticks)
    return (time.process_time() - began) / len(seconds), made


def serve_frames(port: Connection, seconds: list[list[bytes]]) -> None:
    """The other end of the socket, in a process of its own so that its work is not counted as ours."""
    from websockets.asyncio.server import ServerConnection, serve

    async def sit(socket: ServerConnection) -> None:
        wanted: set[int] = set()
        async for text in socket:
            message = json.loads(text)
            if message["a"] == "mode":
                wanted.update(message["v"][1])
            if len(wanted) == INSTRUMENTS // 3:
                break
        mine = next(n for n in range(3) if TOKENS[n * 3000] in wanted)
        for second in seconds:
            for data in second[mine * 30 : mine * 30 + 30]:
                await socket.send(data)
        await socket.send(ORDER)
        await socket.wait_closed()

    async def run() -> None:
        async with serve(sit, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            port.send(server.sockets[0].getsockname()[1])
            await asyncio.Event().wait()

    asyncio.run(run())


async def over_sockets(port: int) -> float:
    """CPU seconds for each second of market, sockets and library included."""
    made = stream(f"ws://127.0.0.1:{port}")

    async def take() -> int:
        return sum([len(ticks) async for ticks in made.ticks])

    taking = asyncio.create_task(take())
    began = time.process_time()
    await made.open()
    for _ in range(3):
        await anext(made.orders)  # each connection's last word
    taken = time.process_time() - began
    await made.close()
    assert await taking + made.ticks.conflated == INSTRUMENTS * SECONDS
    return taken / SECONDS


def load(seconds: list[list[bytes]]) -> None:
    taken, kept_up = asyncio.run(in_memory(seconds, stuck=False))
    print(f"{INSTRUMENTS:,} instruments in full mode, one tick a second each, {SECONDS} s of market:")
    print(f"  decoded, conflated and taken   {taken * 100:8.1f} % of a core")
    assert kept_up.tally.ticks == INSTRUMENTS * SECONDS
    assert kept_up.ticks.conflated == 0
    ours, theirs = multiprocessing.Pipe()
    other = multiprocessing.get_context("fork").Process(
        target=serve_frames, args=(theirs, seconds), daemon=True
    )
    other.start()
    taken = asyncio.run(over_sockets(ours.recv()))
    other.terminate()
    other.join()
    print(f"  the same over three sockets    {taken * 100:8.1f} % of a core")
    stuck_consumer(seconds)


def stuck_consumer(seconds: list[list[bytes]]) -> None:
    taken, made = asyncio.run(in_memory(seconds, stuck=True))
    print(f"  with a consumer that is stuck  {taken * 100:8.1f} % of a core")
    waiting, texts = len(made.ticks), sum(map(len, seconds))
    assert len(made.orders) == texts
    kept = f"{waiting:,} ticks of {made.tally.ticks:,}, and all {texts:,} order updates"
    print(f"  then wait                      {kept}")
    for rounds in (1, 3):
        tracemalloc.start()
        asyncio.run(in_memory(seconds * rounds, stuck=True, orders=False))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"  peak memory, stuck for {SECONDS * rounds} s    {peak / 1e6:8.1f} MB")


def main() -> None:
    decoding()
    load([frames(second, TOKENS) for second in range(SECONDS)])


if __name__ == "__main__":
    main()
