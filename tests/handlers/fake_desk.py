"""A desk of cardboard: everything chat may ask of the real one, with its state in plain sight."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product

from fake_account import FakeAccount

from trader.desk.commands import (
    Arm,
    CloseDay,
    Command,
    Disarm,
    Judge,
    Kill,
    NotThere,
    Pause,
    Reconcile,
    ReopenDay,
    Resume,
    StartStrategy,
    StopStrategy,
)
from trader.desk.effects import Answer
from trader.desk.view import (
    DeskView,
    InstanceView,
    LimitView,
    OwnerPnl,
    PnlView,
    PositionView,
    QuoteView,
)
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.funds import Funds, Holding
from trader.domain.instrument import Exchange, Instrument, OptionType, Segment, instrument_key
from trader.domain.market import Interval, Tick
from trader.domain.order import Order, OrderRequest, OrderState, OrderType, Owner, Product, Purpose, Side, Tag
from trader.domain.position import DayResult, Fill, Trade
from trader.domain.records import AuditEntry, DeskMode, InstanceStatus, Latch, StrategyInstance
from trader.domain.times import IST, ist
from trader.market.calendar import Calendar
from trader.market.charges import Charges, ContractNote, Executed
from trader.market.contracts import OptionChain
from trader.market.instruments import Instruments
from trader.service.port import About, ParamInfo, StrategyInfo
from trader.service.studies import Studies

NOW = datetime(2026, 11, 23, 10, 15, 2, tzinfo=IST)  # a Monday, market time
STARTED = datetime(2026, 11, 21, 9, tzinfo=IST)  # wall clock
EMA, RSI = Owner("ema_crossover"), Owner("rsi_reversal")
D = Decimal

OPTIONS = {"stop": "1", "target": "2", "trail": "0", "risk": "1", "product": "MIS", "quantity": "0"}


def an_order(symbol: str = "RELIANCE", state: OrderState = OrderState.TRIGGER_PENDING) -> Order:
    request = OrderRequest(
        tag=Tag(f"M-{symbol}"[:20]), owner=EMA, key=instrument_key(symbol), side=Side.SELL, quantity=66,
        order_type=OrderType.SL_M, product=Product.MIS, purpose=Purpose.STOP, at=NOW,
        trigger_price=D("1485.20"),
    )  # fmt: skip
    return Order(
        request=request, state=state, updated_at=NOW, quantity=66, order_type=OrderType.SL_M, price=None,
        trigger_price=D("1485.20"), purpose=Purpose.STOP,
    )  # fmt: skip


def a_position(
    symbol: str, quantity: int, average: str, last: str, *, protected: bool = True
) -> PositionView:
    stop, target = D(average) * D("0.99"), D(average) * D("1.02")
    return PositionView(
        owner=EMA, key=instrument_key(symbol), product=Product.MIS, quantity=quantity,
        average_price=D(average), last_price=D(last), unrealised=(D(last) - D(average)) * quantity,
        stop=stop if protected else None, target=target if protected else None,
        opened_at=NOW - timedelta(minutes=9), protected=protected,
    )  # fmt: skip


def a_trade(n: int, net: str, at: datetime = NOW) -> Trade:
    return Trade(
        trade_id=f"t{n}", owner=EMA, key=instrument_key("TCS"), product=Product.MIS, side=Side.BUY,
        quantity=20, entry_price=D("3500.00"), exit_price=D("3512.50"),
        entry_at=at - timedelta(minutes=30), exit_at=at,
        pnl=D(net) + D("41.17"), charges=D("41.17"), reason=Purpose.TARGET if D(net) > 0 else Purpose.STOP,
    )  # fmt: skip


def an_instance(name: Owner, status: InstanceStatus, open_: int = 0, net: str = "0") -> InstanceView:
    instance = StrategyInstance(
        name=name, strategy=name, symbols=(instrument_key("RELIANCE"), instrument_key("TCS")),
        interval=Interval.M1, settings=(("fast", "9"), ("slow", "21"), ("stop", "1")), status=status,
        started_at=NOW, updated_at=NOW,
    )  # fmt: skip
    return InstanceView(instance, open_, D(net))


def a_view() -> DeskView:
    held = (
        a_position("RELIANCE", 66, "1500.25", "1512.40"),
        a_position("TCS", -20, "3500.00", "3502.75", protected=False),
    )
    open_, realised, charges = sum((p.unrealised for p in held), D(0)), D("-312.50"), D("84.32")
    return DeskView(
        at=NOW,
        latch=Latch(DeskMode.ACTIVE, "", "", NOW - timedelta(hours=1), "start-up"),
        session="open until 15:15, F&O 15:40",
        capital=D(100_000),
        equity=D(100_000) + realised + open_ - charges,
        pnl=PnlView(realised, open_, charges, realised + open_ - charges),
        by_owner=(
            OwnerPnl(DayResult(NOW.date(), EMA, D("187.50"), D("61.20"), trades=3, wins=2), open_),
            OwnerPnl(DayResult(NOW.date(), RSI, D("-500.00"), D("23.12"), trades=1, wins=0), D(0)),
        ),
        positions=held,
        orders=(an_order(),),
        instances=(
            an_instance(EMA, InstanceStatus.RUNNING, 2, "873.20"),
            an_instance(RSI, InstanceStatus.PAUSED, 0, "-523.12"),
        ),
        limits=(
            LimitView("daily_loss", "Loss today", D("600"), D("3000"), "₹"),
            LimitView("drawdown", "Drawdown from the peak", D("1.25"), D("10"), "%"),
            LimitView("positions", "Open positions", D(2), D(5), ""),
            LimitView("exposure", "Gross exposure of capital", D("512"), D("500"), "%"),
        ),
        quotes=12,
        last_tick_at=NOW - timedelta(seconds=1),
        killing=False,
    )


WEEKLY, MONTHLY = date(2026, 12, 8), date(2026, 12, 29)  # NIFTY's


def some_instruments() -> Instruments:
    """Stocks with derivatives and one without, an index, its options of two expiries and its future."""
    names = {
        "RELIANCE": "Reliance Industries",
        "TCS": "Tata Consultancy",
        "INFY": "Infosys",
        "SBIN": "SBI",
    }
    tick = D("0.10")
    stocks = [
        Instrument(Exchange.NSE, symbol, n, tick, name=name, derivatives=True)
        for n, (symbol, name) in enumerate(names.items())
    ]
    plain = Instrument(Exchange.NSE, "ZENTEC", 90, D("0.05"), name="Zen Technologies")
    index = Instrument(Exchange.NSE, "NIFTY 50", 99, D("0.05"), segment=Segment.INDEX, name="NIFTY 50")
    future = Instrument(
        Exchange.NFO, "NIFTY26DECFUT", 100, tick, 65, Segment.FUTURES, "NIFTY", 1800, "NIFTY", MONTHLY
    )
    options = [
        Instrument(
            Exchange.NFO, f"NIFTY{code}{strike}{side}", 200 + n, D("0.05"), 65, Segment.OPTIONS, "NIFTY",
            1800, "NIFTY", expiry, D(strike), side,
        )
        for n, (strike, side, (code, expiry)) in enumerate(
            product(range(25_000, 27_050, 50), OptionType, (("26D08", WEEKLY), ("26DEC", MONTHLY)))
        )
    ]  # fmt: skip
    made = Instruments([*stocks, plain, index, future, *options])
    made.today = NOW.date()
    return made


def some_prices() -> dict[str, float]:
    near = {f"NIFTY26D08{25_900 + 50 * n}CE": 180.5 - 30 * n for n in range(5)}
    return {
        "RELIANCE": 1512.4,
        "TCS": 3502.75,
        "INFY": 1490.0,
        "ZENTEC": 1620.0,
        "NIFTY 50": 26_012.4,
        **near,
    }


def an_execution(
    symbol: str, side: Side, quantity: int, price: str, *, held: Product = Product.MIS, at: datetime = NOW,
    by_broker: bool = False,
) -> Executed:  # fmt: skip
    found = some_instruments().find(symbol)
    return Executed(
        tag=f"M-{symbol}-{side}"[:20], key=found.key, exchange=found.exchange, segment=found.segment,
        underlying=found.underlying, product=held, side=side, quantity=quantity,
        value=D(price) * quantity, at=at, by_broker=by_broker,
    )  # fmt: skip


@dataclass
class FakeDesk:
    """``asked`` is what it was told to do, ``audits`` every audit line in order, ``log`` both interleaved."""

    the_view: DeskView = field(default_factory=a_view)
    the_about: About = field(
        default_factory=lambda: About(
            "0.1.0", "simulated", "paper", 60.0, datetime(2026, 11, 21, 9, tzinfo=IST)
        )
    )
    market: Instruments = field(default_factory=some_instruments)
    the_calendar: Calendar = field(default_factory=Calendar.load)
    prices: dict[str, float] = field(default_factory=some_prices)
    previous_closes: dict[str, float] = field(
        default_factory=lambda: {"RELIANCE": 1500.0, "TCS": 3490.0, "SBIN": 811.0, "NIFTY 50": 25_950.0}
    )
    executed: list[Executed] = field(default_factory=list)
    the_funds: Funds | Exception = field(
        default_factory=lambda: Funds(D("100350.08"), D("61250.40"), D("39099.68"))
    )
    the_holdings: list[Holding] | Exception = field(
        default_factory=lambda: [
            Holding(instrument_key("ZENTEC"), 40, 0, D("1580.5500")),
            Holding(instrument_key("INFY"), 12, 5, D("1502.40")),
            Holding(instrument_key("IDEA"), 1000, 0, D("8.15")),  # the list of instruments has it not
        ]
    )
    the_account: FakeAccount | None = None  # a made-up market has none
    the_studies: Studies | None = None  # tests that need them make real ones
    the_code: str = "492039"  # what the owner's authenticator shows
    codes: list[str] = field(default_factory=list)  # what was tried
    asked: list[tuple[Command, str, str]] = field(default_factory=list)
    audits: list[AuditEntry] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    waits: list[tuple[timedelta | None, datetime | None]] = field(default_factory=list)
    the_trades: list[Trade] = field(default_factory=list)
    the_orders: list[Order] = field(
        default_factory=lambda: [
            an_order(),
            an_order("TCS", OrderState.FILLED),
            an_order("INFY", OrderState.REJECTED),
        ]
    )
    ledger_down: Exception | None = None
    on_ask: Callable[[Command], None] = lambda command: None
    the_fault: Exception | None = None  # of settings that cannot be used
    the_unusable: dict[str, str] = field(default_factory=dict)  # files of strategies, and why
    own_options: dict[str, str] = field(default_factory=dict)  # of every strategy's class
    hold: asyncio.Event | None = None  # while unset, ``ask`` does not return
    held: asyncio.Event = field(default_factory=asyncio.Event)  # set once somebody waits there

    def studies(self) -> Studies:
        assert self.the_studies is not None, "this test did not expect backtests"
        return self.the_studies

    def about(self) -> About:
        return self.the_about

    def now(self) -> datetime:
        return self.the_view.at

    def view(self) -> DeskView:
        return self.the_view

    def instruments(self) -> Sequence[Instrument]:
        return list(self.market)

    def find(self, text: str) -> Instrument:
        return self.market.find(text)

    def search(self, text: str, limit: int = 10) -> Sequence[Instrument]:
        return self.market.search(text, limit)

    def chain(self, underlying: str, expiry: date | None = None) -> OptionChain:
        return self.market.chain(underlying, expiry)

    def calendar(self) -> Calendar:
        return self.the_calendar

    def quote(self, symbol: str) -> QuoteView:
        found = self.market.find(symbol)
        last = self.prices.get(found.symbol)
        tick = Tick(found.key, self.now(), last, 1000, last - 0.05, last + 0.05) if last else None
        return QuoteView(found.key, found.name, tick, self.previous_closes.get(found.symbol))

    async def note(self, day: date | None = None) -> ContractNote:
        day = day or ist(self.now()).date()
        return Charges.load().day([e for e in self.executed if ist(e.at).date() == day], day)

    async def funds(self) -> Funds:
        if isinstance(self.the_funds, Exception):
            raise self.the_funds
        return self.the_funds

    async def holdings(self) -> Sequence[Holding]:
        if isinstance(self.the_holdings, Exception):
            raise self.the_holdings
        return self.the_holdings

    def account(self) -> FakeAccount:
        if self.the_account is None:
            raise InvalidInput(
                f"A {self.the_about.market} market has no broker to log in to. MARKET=zerodha has."
            )
        return self.the_account

    async def arm(self, code: str, *, source_id: str, actor: str) -> Answer:
        wrong = [line for line in await self.account().preflight() if not line.ok]
        if wrong:
            faults = "\n".join(f"✗ {line.label}: {line.detail}" for line in wrong)
            return Answer(source_id, False, f"Not armed.\n{faults}")
        self.codes.append(code)
        if code != self.the_code:
            raise InvalidInput("The code is wrong. 4 more tries.")
        if self.codes.count(code) > 1:
            raise InvalidInput("That code was used already; wait for the next one.")
        return await self.ask(Arm(), source_id=source_id, actor=actor)

    def goes_live(self, *, armed: bool = False) -> FakeAccount:
        """Real money, at a broker elsewhere."""
        self.the_about = replace(self.the_about, market="zerodha", trading="live", speed=1.0)
        self.the_view = replace(self.the_view, armed=armed)
        self.the_account = FakeAccount()
        return self.the_account

    def strategies(self) -> Sequence[StrategyInfo]:
        fast, slow = ParamInfo("fast", "9", "2 to 50", ""), ParamInfo("slow", "21", "5 to 200", "")
        return [
            StrategyInfo("ema_crossover", "Long while the fast EMA is above the slow one.", (fast, slow)),
            StrategyInfo("rsi_reversal", "Buys weakness that turns.", ()),
        ]

    def strategy(self, name: str) -> StrategyInfo:
        if (file := f"{name.casefold()}.py") in self.the_unusable:
            raise InvalidInput(f"{name.casefold()} cannot be used: {file}, {self.the_unusable[file]}")
        known = {info.name: info for info in self.strategies()}
        if name.casefold() not in known:
            raise UnknownName("strategy", name, known)
        return known[name.casefold()]

    def unusable(self) -> Mapping[str, str]:
        return self.the_unusable

    def settled(self, command: StartStrategy) -> dict[str, str]:
        if self.the_fault is not None:
            raise self.the_fault
        known = {info.name: info.params for info in self.strategies()}
        params = {param.name: param.default for param in known[command.strategy]}
        given = {name: value.rstrip("%") for name, value in command.settings.items()}
        return {**OPTIONS, **self.own_options, **params, **given}

    async def ask(self, command: Command, *, source_id: str, actor: str) -> Answer:
        if self.hold is not None:
            self.held.set()
            await self.hold.wait()
        self.on_ask(command)
        if any(source_id == seen for _, seen, _ in self.asked):
            return Answer(source_id, True, "Done already.")
        self.asked.append((command, source_id, actor))
        self.log.append(f"ask {type(command).__name__}")
        return Answer(source_id, True, self._answer(command))

    def _answer(self, command: Command) -> str:
        match command:
            case StartStrategy(strategy, symbols, interval, settings):
                extra = "".join(f" {k}={v}" for k, v in settings.items())
                return f"Started {strategy} on {', '.join(symbols)}, {interval or '1m'} candles.{extra}"
            case StopStrategy(name, close):
                return f"{name} is stopped; its positions {'are being closed' if close else 'stay'}."
            case Pause(name):
                return f"{name or 'The desk'} enters nothing more."
            case Resume(name):
                return f"{name or 'The desk'} may enter again."
            case CloseDay(day, reason):
                self.the_calendar.close(day, reason)
                return f"{day:%a %d %b %Y} is closed: {reason}. /reopened {day} takes it back."
            case ReopenDay(day):
                self.the_calendar.reopen(day)
                return f"{day:%a %d %b %Y} trades again."
            case Arm():
                self.the_view = replace(self.the_view, armed=True)
                return "LIVE: armed. Entries use real money from now on; /paper takes it back at once."
            case Disarm():
                self.the_view = replace(self.the_view, armed=False)
                return "Disarmed: no live entries from now on. Positions keep their stops; /kill closes them."
            case Reconcile():
                return "Reading the broker's book."
            case NotThere(tag):
                orders = tuple(order for order in self.the_view.orders if order.tag != tag)
                self.the_view = replace(self.the_view, orders=orders)
                return "It counts as not placed."
            case Judge(symbol, verdict):
                locks = tuple(lock for lock in self.the_view.locks if lock.key != symbol)
                self.the_view = replace(self.the_view, locks=locks)
                return f"{verdict.capitalize()}: {symbol}."
            case Kill(flatten):
                self.halt("killed", "Killed by the owner")
                return "HALTED at 10:15:02.\nCancelling 1 order" + (
                    ", closing 2 positions." if flatten else "."
                )

    def halt(self, code: str, reason: str) -> None:
        latch = Latch(DeskMode.HALTED, code, reason, self.now(), "owner 4711")
        self.the_view = replace(self.the_view, latch=latch)

    def starting(self) -> Sequence[str]:
        return []

    async def fills(self, day: date | None = None, limit: int = 1000) -> list[Fill]:
        return []

    async def trades(self, day: date | None = None, limit: int = 1000) -> list[Trade]:
        return [t for t in self.the_trades if day is None or ist(t.exit_at).date() == day][-limit:]

    async def orders(self, day: date | None = None, limit: int = 1000) -> list[Order]:
        return [o for o in self.the_orders if day is None or ist(o.request.at).date() == day][-limit:]

    async def audit(self, entry: AuditEntry) -> None:
        if self.ledger_down is not None:
            raise self.ledger_down
        self.audits.append(entry)
        self.log.append(f"audit {entry.verdict}{' done' if entry.outcome else ''}")

    async def audited(self, source_id: str) -> AuditEntry | None:
        if self.ledger_down is not None:
            raise self.ledger_down
        return next((e for e in reversed(self.audits) if e.source_id == source_id), None)

    async def setting(self, key: str) -> str | None:
        return self.settings.get(key)

    async def put_setting(self, key: str, value: str) -> None:
        self.settings[key] = value

    async def wait(self, *, wall: timedelta | None = None, until: datetime | None = None) -> datetime:
        self.waits.append((wall, until))
        reached = until or self.now() + (wall * 60 if wall else timedelta(hours=5))
        self.the_view = replace(self.the_view, at=reached)
        return reached
