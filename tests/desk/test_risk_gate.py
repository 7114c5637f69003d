"""The gate: every denial has its row, exits are never held captive, and nobody else can approve."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from samples import later, request
from world import MORNING, OURS, REL, instruments

from trader.desk import orders as machine
from trader.desk.case import Case
from trader.desk.limits import RiskLimits
from trader.desk.pace import OrderPace
from trader.desk.risk import ENTRY_CHECKS, RiskGate
from trader.domain.instrument import Exchange, OptionType, Segment
from trader.domain.market import Tick
from trader.domain.order import (
    Approved,
    ApprovedChange,
    ApprovedGtt,
    Denied,
    Gtt,
    Order,
    OrderChange,
    OrderId,
    OrderRequest,
    OrderState,
    OrderType,
    Product,
    Purpose,
    Side,
    Validity,
)
from trader.domain.position import Position
from trader.domain.records import DeskMode, Latch, RiskCounters
from trader.market.phases import Phase

GATE = RiskGate()
RELIANCE = instruments().find("RELIANCE")
DAY = MORNING.date()


def entry() -> Case:
    """An entry that passes every check."""
    return Case(
        request=request(10),
        at=MORNING,
        limits=RiskLimits(),
        latch=Latch(DeskMode.ACTIVE, "", "trading", MORNING, "start-up"),
        armed=True,
        paused=False,
        reconciled=True,
        phase=Phase.OPEN,
        session_text="open until 15:30",
        entries_until=MORNING + timedelta(hours=5),
        instrument=RELIANCE,
        today=DAY,
        last_day=None,
        closes_at=MORNING + timedelta(hours=5),
        band=None,
        quote=Tick(REL, MORNING, 1000.0),
        position=Position(OURS, REL, Product.MIS),
        positions_open=0,
        owner_positions=0,
        owner_max_positions=5,
        owner_risk_pct=Decimal(1),
        exposure=Decimal(0),
        margin_used=Decimal(0),
        margin_needed=Decimal(2000),
        equity=Decimal(100_000),
        day_pnl=Decimal(0),
        drawdown_pct=Decimal(0),
        counters=RiskCounters(DAY),
        pace=OrderPace(),
        stops_owed=0,
        leaving=0,
        unresolved=False,
        locked="",
        recent=[],
    )


def sent(second: int = 0, minute: int = 0, day: int = 0) -> OrderPace:
    pace = OrderPace()
    pace.roll(MORNING)
    pace.in_second, pace.in_minute, pace.in_day = second, minute, day
    return pace


def asking(**terms: Any) -> Callable[[Case], Case]:
    return lambda case: replace(case, request=replace(case.request, **terms))


def knowing(**facts: Any) -> Callable[[Case], Case]:
    return lambda case: replace(case, **facts)


def of_option(case: Case, expiry: date = DAY + timedelta(days=7)) -> Case:
    option = replace(
        RELIANCE,
        exchange=Exchange.NFO,
        segment=Segment.OPTIONS,
        expiry=expiry,
        strike=Decimal(1000),
        option_type=OptionType.CALL,
    )
    return replace(case, instrument=option, last_day=expiry)


def priced(price: str) -> OrderRequest:
    return replace(request(10), order_type=OrderType.LIMIT, price=Decimal(price))


def same_entry(seconds: float, state: OrderState = OrderState.FILLED) -> Order:
    return replace(machine.intent(request(10, at=later(-seconds))), state=state)


HALTED = Latch(DeskMode.HALTED, "killed", "/kill", MORNING, "owner 1")
REDUCING = Latch(DeskMode.REDUCING, "paused", "paused", MORNING, "owner 1")
LIMITS = RiskLimits()

DENIALS: list[tuple[str, Callable[[Case], Case]]] = [
    ("mode", knowing(latch=HALTED)),
    ("mode", knowing(latch=REDUCING)),
    ("disarmed", knowing(armed=False)),
    ("book_unread", knowing(reconciled=False)),
    ("paused", knowing(paused=True)),
    ("unknown_instrument", knowing(instrument=None)),
    ("not_tradable", knowing(instrument=replace(RELIANCE, segment=Segment.INDEX))),
    ("session_closed", knowing(phase=Phase.CLOSED, session_text="closed")),
    ("session_closed", knowing(phase=Phase.PREOPEN)),
    ("session_closed", knowing(phase=Phase.AUCTION)),
    ("session_closed", knowing(phase=Phase.AUCTION_REFERENCE)),
    ("order_type", lambda c: asking(order_type=OrderType.SL_M, trigger_price=Decimal(1000))(of_option(c))),
    ("product", asking(product=Product.NRML)),
    ("product", lambda c: asking(product=Product.CNC)(of_option(c))),
    ("validity", asking(order_type=OrderType.SL_M, trigger_price=Decimal(1000), validity=Validity.IOC)),
    ("quantity", asking(quantity=0)),
    ("quantity", asking(quantity=-10)),
    ("lot_multiple", knowing(instrument=replace(RELIANCE, lot_size=25))),
    ("tick_multiple", asking(order_type=OrderType.LIMIT, price=Decimal("1000.05"))),
    ("tick_multiple", asking(order_type=OrderType.LIMIT, price=Decimal(0))),
    ("prices", asking(price=Decimal(1000))),
    ("prices", asking(order_type=OrderType.LIMIT)),
    ("prices", asking(order_type=OrderType.SL, price=Decimal(1000))),
    ("prices", asking(order_type=OrderType.SL_M)),
    ("prices", asking(order_type=OrderType.SL_M, price=Decimal(1000), trigger_price=Decimal(1000))),
    ("freeze_quantity", knowing(instrument=replace(RELIANCE, freeze_quantity=9))),
    ("entries_over", knowing(entries_until=MORNING)),
    ("entries_over", lambda c: asking(product=Product.CNC)(knowing(closes_at=later(599.9))(c))),
    ("no_quote", knowing(quote=None)),
    ("no_quote", knowing(quote=Tick(REL, MORNING, 0.0))),
    ("stale_quote", knowing(quote=Tick(REL, later(-30.001), 1000.0))),
    ("price_collar", asking(order_type=OrderType.LIMIT, price=Decimal("1050.1"))),
    ("price_collar", asking(reference_price=Decimal("949.9"))),
    ("product", asking(product=Product.CNC, side=Side.SELL)),
    ("product", asking(product=Product.MTF, side=Side.SELL)),
    ("price_band", knowing(band=(Decimal(980), Decimal("989.9")), request=priced("990"))),
    ("price_band", knowing(band=(Decimal("990.1"), Decimal(1100)), request=priced("990"))),
    ("price_band", knowing(band=(Decimal("990.1"), Decimal(1100)))),  # its stop would lie below
    ("expired", knowing(last_day=DAY - timedelta(days=1))),
    ("expires_today", lambda c: asking(product=Product.NRML)(of_option(c, DAY))),
    ("unresolved_order", knowing(unresolved=True)),
    ("locked", knowing(locked="manual order, +40 MIS from elsewhere.")),
    ("order_value", knowing(limits=replace(LIMITS, max_order_value=Decimal("9999.99")))),
    ("position_size", knowing(limits=replace(LIMITS, max_position_pct=Decimal("9.99")))),
    ("position_size", knowing(position=Position(OURS, REL, Product.MIS, 91, Decimal(1000)))),
    ("no_stop", asking(stop_distance=None)),
    ("no_stop", asking(stop_distance=Decimal(0))),
    ("risk_per_trade", asking(stop_distance=Decimal("100.01"))),
    ("risk_per_trade", knowing(owner_risk_pct=Decimal("0.0999"))),
    ("risk_per_trade", lambda c: asking(stop_distance=Decimal(200))(knowing(owner_risk_pct=Decimal(9))(c))),
    ("open_positions", knowing(positions_open=5)),
    ("strategy_positions", knowing(owner_positions=5)),
    ("exposure", knowing(exposure=Decimal("490000.01"))),
    ("capital", knowing(margin_used=Decimal("98000.01"))),
    ("capital", knowing(equity=Decimal("1999.99"))),
    ("daily_loss", knowing(day_pnl=Decimal(-3000))),
    ("drawdown", knowing(drawdown_pct=Decimal(10))),
    ("trades_per_day", knowing(counters=RiskCounters(DAY, entries=50))),
    ("cooldown", knowing(counters=RiskCounters(DAY, cooldown_until=later(0.1)))),
    ("rate_second", knowing(pace=sent(second=8))),
    # It would be the eighth, and its own stop the ninth.
    ("rate_second", knowing(pace=sent(second=7))),
    # Four entries went out and need four stops in the same second: there is no room for a fifth.
    ("rate_second", knowing(pace=sent(second=4), stops_owed=4)),
    ("rate_minute", knowing(pace=sent(minute=200))),
    ("rate_day", knowing(pace=sent(day=2000))),
    ("duplicate_signal", knowing(recent=[same_entry(4.9)])),
]

ALLOWED: list[tuple[str, Callable[[Case], Case]]] = [
    ("as it is", knowing()),
    ("ten minutes before the end", lambda c: asking(product=Product.CNC)(knowing(closes_at=later(600))(c))),
    ("inside the band", knowing(band=(Decimal(990), Decimal(1000)))),
    ("a contract's last day, intraday", lambda c: of_option(c, DAY)),
    ("a contract overnight", lambda c: asking(product=Product.NRML)(of_option(c))),
    ("on margin", asking(product=Product.MTF)),
    ("at once or not at all", asking(validity=Validity.IOC)),
    ("on the last second of entries", knowing(entries_until=later(0.1))),
    ("delivery after intraday entries ended", asking(product=Product.CNC)),
    ("a quote just fresh", knowing(quote=Tick(REL, later(-30), 1000.0))),
    ("at the collar", asking(order_type=OrderType.LIMIT, price=Decimal(1050))),
    ("just the order value", knowing(limits=replace(LIMITS, max_order_value=Decimal(10000)))),
    ("just the position", knowing(position=Position(OURS, REL, Product.MIS, 90, Decimal(1000)))),
    ("just the risk", asking(stop_distance=Decimal(100))),
    ("more of an open position", knowing(positions_open=5, position=Position(OURS, REL, Product.MIS, 1))),
    ("just the exposure", knowing(exposure=Decimal(490000))),
    ("just the capital", knowing(margin_used=Decimal(98000))),
    ("the last of the second", knowing(pace=sent(second=6))),
    ("a second later", lambda c: replace(c, pace=sent(second=8), at=later(1), entries_until=None)),
    ("cooldown over", knowing(counters=RiskCounters(DAY, cooldown_until=MORNING))),
    ("the same entry a while ago", knowing(recent=[same_entry(5)])),
    ("another quantity", knowing(recent=[replace(same_entry(1), request=request(11, at=later(-1)))])),
    ("the other side", knowing(recent=[replace(same_entry(1), request=request(10, Side.SELL))])),
]


def test_the_day_of_orders_turns_at_the_exchanges_midnight_whatever_zone_a_time_is_in() -> None:
    pace = OrderPace()
    evening = datetime(2026, 11, 23, 18, 29, 59, tzinfo=UTC)  # 23:59:59 IST
    pace.count(evening)
    assert pace.day == date(2026, 11, 23)
    pace.count(evening + timedelta(seconds=1))
    assert (pace.day, pace.in_day) == (date(2026, 11, 24), 1)


def test_changes_and_cancels_count_in_the_second_and_the_minute_and_not_in_the_day() -> None:
    pace = OrderPace()
    pace.count(MORNING)
    pace.count(MORNING, placed=False)
    assert (pace.in_second, pace.in_minute, pace.in_day) == (2, 2, 1)


def test_a_good_entry_is_approved() -> None:
    verdict = GATE.approve(entry())
    assert isinstance(verdict, Approved)
    assert verdict.request == entry().request


@pytest.mark.parametrize(("code", "spoil"), DENIALS, ids=[f"{n}-{c}" for n, (c, _) in enumerate(DENIALS)])
def test_one_thing_wrong_with_an_entry_is_denied_by_its_name(
    code: str, spoil: Callable[[Case], Case]
) -> None:
    verdict = GATE.approve(spoil(entry()))
    assert isinstance(verdict, Denied)
    assert verdict.code == code
    assert verdict.sentence


@pytest.mark.parametrize(("what", "spoil"), ALLOWED, ids=[what for what, _ in ALLOWED])
def test_limits_are_inclusive(what: str, spoil: Callable[[Case], Case]) -> None:
    verdict = GATE.approve(spoil(entry()))
    assert isinstance(verdict, Approved), (what, verdict)


def test_every_check_has_a_row() -> None:
    rows = {code for code, _ in DENIALS}
    sources = {Path(check.__code__.co_filename) for check in ENTRY_CHECKS}
    codes = {
        call.args[0].value
        for source in sources
        for call in ast.walk(ast.parse(source.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Denied"
        and isinstance(call.args[0], ast.Constant)
    }
    assert codes - rows == {"not_reducing"}  # exits only, below


# -- exits --------------------------------------------------------------------------------------------


def exit_of(held: int = 10, quantity: int = 10, purpose: Purpose = Purpose.EXIT, **terms: Any) -> Case:
    side = Side.SELL if held > 0 else Side.BUY
    wanted = replace(request(quantity, side, purpose=purpose), **terms)
    return replace(entry(), request=wanted, position=Position(OURS, REL, Product.MIS, held, Decimal(1000)))


WORST = knowing(
    latch=HALTED,
    armed=False,
    paused=True,
    reconciled=False,
    entries_until=later(-999),
    quote=None,
    positions_open=99,
    owner_positions=99,
    exposure=Decimal(10**9),
    margin_used=Decimal(10**9),
    equity=Decimal(-1),
    day_pnl=Decimal(-99_999),
    drawdown_pct=Decimal(99),
    counters=RiskCounters(DAY, entries=999, cooldown_until=later(999)),
    unresolved=True,
    locked="manual order, +40 MIS from elsewhere.",
    limits=replace(LIMITS, max_order_value=Decimal(1), max_position_pct=Decimal(0), orders_per_day=0),
    recent=[same_entry(0.1)],
)


@pytest.mark.parametrize("purpose", [p for p in Purpose if p not in (Purpose.ENTRY, Purpose.EXTERNAL)])
@pytest.mark.parametrize("held", [10, -10])
def test_no_entry_limit_holds_a_position_captive(purpose: Purpose, held: int) -> None:
    assert isinstance(GATE.approve(WORST(exit_of(held, purpose=purpose))), Approved)


EXIT_DENIALS: list[tuple[str, Case]] = [
    ("not_reducing", exit_of(10, 11)),
    ("not_reducing", exit_of(10, side=Side.BUY)),
    ("not_reducing", exit_of(-10, side=Side.SELL)),
    ("not_reducing", replace(exit_of(10), position=Position(OURS, REL, Product.MIS))),
    ("not_reducing", replace(exit_of(10, 6), leaving=5)),
    ("not_reducing", replace(exit_of(10, 1), leaving=11)),
    ("session_closed", replace(exit_of(10), phase=Phase.CLOSED)),
    ("session_closed", replace(exit_of(10), phase=Phase.AUCTION)),
    ("session_closed", replace(exit_of(10, purpose=Purpose.KILL), phase=Phase.AUCTION_LIMIT)),
    ("rate_second", replace(exit_of(10), pace=sent(second=9))),
    ("rate_minute", replace(exit_of(10), pace=sent(minute=400))),
    ("rate_day", replace(exit_of(10), pace=sent(day=5000))),
    ("unknown_instrument", replace(exit_of(10), instrument=None)),
]


@pytest.mark.parametrize(
    ("code", "case"), EXIT_DENIALS, ids=[f"{n}-{c}" for n, (c, _) in enumerate(EXIT_DENIALS)]
)
def test_an_exit_is_denied_only_by_the_exchange_and_by_what_is_held(code: str, case: Case) -> None:
    verdict = GATE.approve(case)
    assert isinstance(verdict, Denied)
    assert verdict.code == code


def test_exits_may_use_the_rate_that_entries_leave_them() -> None:
    assert isinstance(GATE.approve(replace(exit_of(10), pace=sent(8, 399, 4999))), Approved)


# -- changes ------------------------------------------------------------------------------------------


def resting(**terms: Any) -> Order:
    wanted = request(10, Side.SELL, OrderType.SL_M, purpose=Purpose.STOP, trigger="990")
    order = replace(machine.intent(wanted), state=OrderState.TRIGGER_PENDING, order_id=OrderId("1"))
    return replace(order, **terms)


def terms(quantity: int = 10, trigger: str | None = "995", price: str | None = None) -> OrderChange:
    return OrderChange(
        resting().tag,
        OrderId("1"),
        quantity,
        OrderType.SL_M,
        None if price is None else Decimal(price),
        None if trigger is None else Decimal(trigger),
        Purpose.STOP,
        MORNING,
    )


@pytest.mark.parametrize(
    ("code", "change", "order", "held"),
    [
        ("", terms(), resting(), 10),
        ("", terms(15), resting(filled_quantity=5, quantity=15), 10),
        ("", terms(), resting(modifications=24), 10),
        ("change_entry", terms(), resting(purpose=Purpose.ENTRY), 10),
        ("modifications", terms(), resting(modifications=25), 10),
        ("not_reducing", terms(11), resting(), 10),
        ("not_reducing", terms(16), resting(filled_quantity=5, quantity=15), 10),
        ("not_reducing", terms(), resting(), 0),
        ("not_reducing", terms(), resting(), -10),
        ("tick_multiple", terms(trigger="995.05"), resting(), 10),
        ("tick_multiple", terms(trigger=None, price="995.05"), resting(), 10),
    ],
)
def test_a_change_may_never_come_to_more_than_is_held(
    code: str, change: OrderChange, order: Order, held: int
) -> None:
    position = Position(OURS, REL, Product.MIS, held, Decimal(1000))
    verdict = GATE.approve_change(change, order, RELIANCE, position)
    if code:
        assert isinstance(verdict, Denied)
        assert verdict.code == code
    else:
        assert isinstance(verdict, ApprovedChange)


# -- the seal -----------------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[2]
PLACES = ["bot.py", "trader", "handlers", "storage", "strategies", "sandbox"]


def test_nobody_but_the_gate_takes_the_seal_or_makes_an_approval() -> None:
    files = [
        p
        for place in PLACES
        for p in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    assert len(files) > 100
    guilty = set()
    for path in files:
        if not path.exists():
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.func if isinstance(node, ast.Call) else None
            called = getattr(name, "id", getattr(name, "attr", ""))
            taken = isinstance(node, ast.alias) and node.name in ("gate_seal", "_GATE")
            if taken or called in ("gate_seal", "Approved", "ApprovedChange", "ApprovedGtt"):
                guilty.add(path.relative_to(ROOT).as_posix())
    assert guilty == {"trader/desk/risk.py"}


@pytest.mark.parametrize("seal", [None, object(), "gate"])
def test_an_approval_cannot_be_forged(seal: object) -> None:
    wanted: OrderRequest = request()
    with pytest.raises(PermissionError, match="Only the risk gate"):
        Approved(wanted, seal)
    with pytest.raises(PermissionError, match="Only the risk gate"):
        ApprovedChange(terms(), seal)
    with pytest.raises(PermissionError, match="Only the risk gate"):
        ApprovedGtt(NIGHT, seal)


NIGHT = Gtt(REL, Side.SELL, 10, Product.CNC, Decimal(990), Decimal("960.3"))


@pytest.mark.parametrize(
    ("held", "gtt", "code"),
    [
        (10, NIGHT, ""),
        (12, NIGHT, ""),
        (9, NIGHT, "not_reducing"),
        (-10, NIGHT, "not_reducing"),
        (10, replace(NIGHT, quantity=0), "not_reducing"),
        (10, replace(NIGHT, trigger_price=Decimal("990.01")), "tick_multiple"),
        (10, replace(NIGHT, price=Decimal(0)), "tick_multiple"),
    ],
)
def test_a_stop_for_the_night_may_never_come_to_more_than_is_held(held: int, gtt: Gtt, code: str) -> None:
    verdict = GATE.approve_gtt(gtt, RELIANCE, Position(OURS, REL, Product.CNC, held, Decimal(1000)))
    assert (verdict.code if isinstance(verdict, Denied) else "") == code
