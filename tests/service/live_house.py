"""A whole live house in the test's own process: the desk with TRADING=live, its chat, and the local Kite that
stands in for Zerodha, on one clock that the test's waiting moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any

from handlers.commands import build_registry
from handlers.dispatch import Dispatcher
from handlers.house import House as ChatHouse
from handlers.message import Incoming, Kind, Outgoing
from handlers.policy import Policy
from handlers.render.terminal import plain
from sandbox.kite import KiteServer
from sandbox.kite.orders import Order as KiteOrder
from sandbox.kite.orders import Status
from sandbox.kite.totp import code_at
from storage.memory import MemoryLedger
from storage.paper import MemoryPaperJournal
from tests.service.live_day_loop import run_day
from trader.domain.order import Order, OrderState
from trader.domain.records import Alert
from trader.domain.times import IST
from trader.service.clock import WallClock
from trader.service.kite import KiteHouse
from trader.service.opening import House, open_house
from trader.service.settings import read_settings
from trader.strategy import Bars, Holding, Param, Signal, Signals, Strategy, Tick
from trader.strategy.catalogue import Catalogue

START = datetime(2026, 11, 23, 10, 0, tzinfo=IST)  # a Monday
KEY, LEVEL = "NSE:RELIANCE", 1480.0
OTHER = "NSE:ITC"  # what its owner trades by hand
PATIENCE = 60.0  # seconds of the market that anything may take unless a test says more
STEP = 0.05


def brisk(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The test in a loop whose hours pass at once."""

    @wraps(test)
    def run(*args: Any, **named: Any) -> None:
        run_day(test(*args, **named))

    return run


class Touch(Strategy):
    """Buys each time the price comes up to a level: one signal for one touch."""

    above = Param(1000.0, low=1.0, high=100_000.0)
    seen = 0.0

    def on_tick(self, tick: Tick, holding: Holding) -> Signal | None:
        came = self.seen < self.above <= tick.last
        self.seen = tick.last
        return Signal(enter_long=True) if came and not holding.quantity else None


class Closes(Strategy):
    """Wants to be in while candles close at the level or above."""

    above = Param(1000.0, low=1.0, high=100_000.0)

    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=bars.close >= self.above)


CATALOGUE = Catalogue(MappingProxyType({"touch": Touch, "closes": Closes}), {})


@dataclass
class LiveHouse:
    kite: KiteServer
    house: House
    store: MemoryLedger
    clock: WallClock
    chat: Dispatcher
    price: float = LEVEL
    typed: int = 0
    ahead: timedelta = timedelta(0)  # so far is the exchange's clock ahead of ours
    died: list[BaseException] = field(default_factory=list)

    # -- the owner

    async def types(self, text: str) -> str:
        answer = await self._says(text, Kind.MESSAGE)
        return "" if answer is None else plain(answer.reply)

    async def _says(self, text: str, kind: Kind) -> Outgoing | None:
        self.typed += 1
        now = datetime.now(IST)
        incoming = Incoming(
            source_id=f"typed:{self.typed}", kind=kind, user_id=0, user_name="Owner", chat_id=0,
            chat_type="terminal", text=text, sent_at=now, received_at=now,
        )  # fmt: skip
        return await self.chat(incoming)

    async def starts(self) -> None:
        """Its strategy, once there are instruments, and its first prices."""
        await self.until(lambda: len(self.account.instruments) > 0, "instruments")
        told = await self.types(f"/start_strategy touch RELIANCE 1m above={LEVEL + 1} quantity=10 check=off")
        assert "Started" in told, told
        await self.until(lambda: set(self.statuses()) == {"RUNNING"}, "running")
        await self.passes(3)

    async def presses(self, asked: str, label: str) -> str:
        """Type, and press a button of the answer."""
        answer = await self._says(asked, Kind.MESSAGE)
        assert answer is not None
        for row, nonces in zip(answer.reply.buttons, answer.nonces, strict=True):
            for button, nonce in zip(row, nonces, strict=True):
                if button.label == label:
                    done = await self._says(nonce, Kind.PRESS)
                    return "" if done is None else plain(done.reply)
        raise AssertionError(f"no button {label!r} in {plain(answer.reply)!r}")

    async def arms(self) -> None:
        """Once the book was read; before that a code would be wasted."""
        await self.until(lambda: self.sent("orders") >= 2 and self.sent("holdings") >= 1, "the book read")
        await self.passes(1)
        told = await self.types(f"/live {code_at(self.kite.client.totp_secret, datetime.now(UTC))}")
        assert "armed" in told, told

    def alerts(self, since: int = 0) -> list[Alert]:
        """What the owner is told, oldest first."""
        return list(self.store._all(Alert))[since:]

    def told(self, words: str, since: int = 0) -> Alert | None:
        """The first alert with these words in its title or body."""
        return next((one for one in self.alerts(since) if words in f"{one.title}\n{one.body}"), None)

    def denied(self, code: str) -> bool:
        """Whether the record has an order that the gate denied with this code."""
        return any(o.message.startswith(f"{code}: ") for o in self.orders(OrderState.DENIED))

    def times_told(self, words: str) -> int:
        return sum(words in f"{one.title}\n{one.body}" for one in self.alerts())

    async def hears(self, words: str, since: int = 0, within: float = PATIENCE) -> Alert:
        await self.until(lambda: self.told(words, since) is not None, f"told {words!r}", within)
        alert = self.told(words, since)
        assert alert is not None
        return alert

    # -- the market

    def quotes(self, price: float | None = None) -> None:
        """One trade at the exchange; by itself there is one a second at the last price."""
        self.price = self.price if price is None else price
        self.kite.market.price(KEY, self.price)

    async def touches(self) -> None:
        """The strategy wants to buy, once."""
        self.quotes(LEVEL + 1)
        await self.passes(2)
        await self.until(lambda: not self.orders(OrderState.INTENT), "answered")

    async def falls_back(self) -> None:
        self.quotes(LEVEL)
        await self.passes(2)

    # -- waiting

    async def passes(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.check()

    async def until(self, so: Callable[[], bool], what: str = "it", within: float = PATIENCE) -> None:
        """Wait for it, in market time: none of it is slept through on the wall's clock."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + within
        while not so():
            self.check()
            assert loop.time() < ends, f"never {what} in {within:.0f} s; {self.story()}"
            await asyncio.sleep(STEP)

    def check(self) -> None:
        assert not self.died, self.died

    def story(self) -> str:
        told = "\n".join(f"  {a.at:%H:%M:%S} {a.title} | {a.body}" for a in self.alerts())
        ours = ", ".join(f"{o.purpose} {o.state} {o.order_id}" for o in self.orders())
        theirs = ", ".join(f"{o.status} {o.tag}" for o in self.kite.exchange.orders.values())
        return f"ours: {ours}; the exchange's: {theirs}; told:\n{told}"

    # -- what came of it

    @property
    def account(self) -> KiteHouse:
        assert self.house.kite is not None
        return self.house.kite

    @property
    def mode(self) -> str:
        return self.house.front.view().latch.mode

    def statuses(self) -> list[str]:
        return [str(one.instance.status) for one in self.house.front.view().instances]

    def orders(self, *states: OrderState) -> list[Order]:
        kept = list(self.store._all(Order))
        return [order for order in kept if not states or order.state in states]

    def entries(self) -> list[Order]:
        return [order for order in self.orders() if order.purpose == "entry" and order.state != "DENIED"]

    def held(self) -> int:
        return sum(p.quantity for p in self.house.front.view().positions if p.key == KEY)

    def protected(self) -> bool:
        """A stop rests at the broker, and the desk knows."""
        shown = [p.protected for p in self.house.front.view().positions if p.key == KEY]
        rests = [o for o in self.kite.exchange.live.values() if o.status is Status.TRIGGER_PENDING]
        return bool(shown) and all(shown) and len(rests) == 1

    def at_broker(self, tag: str | None = None) -> list[KiteOrder]:
        """Orders the broker took, of one intent if ``tag``."""
        return [order for order in self.kite.exchange.orders.values() if tag in (None, order.tag)]

    def sent(self, name: str = "place") -> int:
        return len(self.kite.called(name))

    def nothing_is_lost_or_doubled(self) -> None:
        """At most one order of the broker's for each intent; what filled there is booked here (faults.md I1
        to I3, I7)."""
        tags = [order.tag for order in self.at_broker() if order.tag]
        assert len(tags) == len(set(tags)), self.story()
        assert set(tags) <= {order.tag for order in self.orders()}, self.story()
        filled = {order.tag: order.filled for order in self.at_broker() if order.tag and order.filled}
        booked = {o.tag: o.filled_quantity for o in self.orders() if o.filled_quantity and o.tag in tags}
        assert filled == booked, self.story()
        theirs = self.kite.account.positions.get((KEY, "MIS"))
        assert self.held() == (0 if theirs is None else theirs.quantity), self.story()
        assert self.kite.limits.refused == 0, "no more is asked than Zerodha takes"


@asynccontextmanager
async def live_house(
    folder: Path,
    *,
    start: datetime = START,
    armed: bool = True,
    automatic: bool = True,
    logged_in: bool = True,
    prepare: Callable[[KiteServer], None] = lambda _: None,
    store: MemoryLedger | None = None,
    **settings: str,
) -> AsyncIterator[LiveHouse]:
    """``automatic``: with the credentials to log in by itself; without, the address a browser ends at is
    pasted. ``logged_in`` False: it is not, and no strategy is started. ``prepare`` is called before the house
    opens; ``store`` is what it goes on from."""
    clock, made = WallClock(start), list[LiveHouse]()

    def at_zerodha() -> datetime:
        return clock.now() + (made[0].ahead if made else timedelta(0))

    async with KiteServer(at_zerodha, pulse=0.5) as kite:
        kite.market.price(KEY, LEVEL)
        kite.market.price(OTHER, 405)
        prepare(kite)
        store, journal = store or MemoryLedger(), MemoryPaperJournal()
        await store.open()
        values = settings_of(kite, folder, clock.now(), automatic=automatic) | settings
        house = await open_house(
            read_settings(values), store, journal, CATALOGUE,
            held=False, on_alert=lambda: None,
        )  # fmt: skip
        live = LiveHouse(kite, house, store, clock, _chat(house))
        made.append(live)
        tasks = [_watched(live, work) for work in _work(live)]
        try:
            await house.service.settle()
            if not automatic and logged_in:
                assert "Logged in" in await live.types(f"/login {kite.login.callback_url()}")
            if logged_in:
                await live.starts()
            if armed:
                await live.arms()
            yield live
            live.check()
        finally:
            kite.heal()
            await house.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def settings_of(kite: KiteServer, folder: Path, start: datetime, *, automatic: bool) -> dict[str, str]:
    client = kite.client
    values = {
        "MARKET": "zerodha",
        "TRADING": "live",
        "OWNER_TOTP_SECRET": client.totp_secret,
        "DATA_DIR": str(folder),
        "KITE_API_KEY": client.api_key,
        "KITE_API_SECRET": client.api_secret,
        "KITE_API_URL": kite.url,
        "KITE_LOGIN_URL": kite.url,
        "KITE_STREAM_URL": kite.stream_url,
        "KITE_RECORD": "no",
        "CLOCK_START": start.isoformat(),
    }
    login = {
        "KITE_USER_ID": client.user_id,
        "KITE_PASSWORD": client.password,
        "KITE_TOTP_SECRET": client.totp_secret,
    }
    return values | (login if automatic else {})


def _chat(house: House) -> Dispatcher:
    registry = build_registry(ChatHouse(mute=lambda _: None, now=lambda: datetime.now(IST)))
    return Dispatcher(
        registry, house.front, Policy(terminal=True), booted_at=datetime.now(IST), tell_owner=house.front.tell
    )


def _work(live: LiveHouse) -> list[Coroutine[Any, Any, None]]:
    """The tasks that ``bot.py`` runs, and a market that trades once a second."""

    async def trade() -> None:
        while True:
            await asyncio.sleep(1.0)
            live.quotes()

    house = live.house
    return [house.service.run(), house.pump.run(), live.account.keep(), live.account.follow(), trade()]


def _watched(live: LiveHouse, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(work)

    def ended(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            live.died.append(error)

    task.add_done_callback(ended)
    return task
