"""What is sized, the gate approves, and no trade risks more than it may."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from world import CALL, LOT, MORNING, OURS, REL, TCS, DeskWorld, instruments

from trader.desk.exposure import case_of
from trader.desk.limits import RiskLimits
from trader.desk.portfolio import Slot
from trader.desk.risk import RiskGate
from trader.desk.sizing import size
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick
from trader.domain.order import EXTERNAL, Approved, Product, Purpose, Side
from trader.domain.position import Position

DAY = MORNING.date()
RELIANCE = instruments().find("RELIANCE")
RISKY = ("order_value", "position_size", "risk_per_trade", "exposure", "capital", "no_stop")

limits = st.builds(
    RiskLimits,
    capital=st.integers(10_000, 5_000_000).map(Decimal),
    risk_per_trade_pct=st.integers(1, 200).map(lambda n: Decimal(n) / 100),
    max_order_value=st.integers(10_000, 3_000_000).map(Decimal),
    max_position_pct=st.integers(5, 300).map(Decimal),
    max_exposure_pct=st.integers(50, 600).map(Decimal),
)


@settings(max_examples=80, deadline=None)
@given(
    limits,
    st.sampled_from([REL, TCS, LOT, CALL]),
    st.integers(200, 60_000_00),
    st.integers(10, 2000),
    st.integers(1, 200),
    st.sampled_from([1, 3]),
    st.integers(0, 2_000),
    st.floats(-30_000, 30_000),
)
def test_whatever_is_sized_is_approved_and_risks_no_more_than_allowed(
    some: RiskLimits,
    key: InstrumentKey,
    paise: int,
    stop_bps: int,
    risk_bps: int,
    code: int,
    outside: int,
    booked: float,
) -> None:
    world = DeskWorld(some)
    instrument = world.state.instrument(key)
    assert instrument is not None
    price = float(instrument.round_nearest(Decimal(paise) / 100) or instrument.tick_size)
    risk = min(Decimal(risk_bps) / 100, some.risk_per_trade_pct)
    world.start("scripted", key, stop=str(stop_bps / 100), risk=str(risk), target="0")
    counters = replace(world.state.counters, booked=Decimal(str(round(booked, 2))))
    world.state.counters = replace(counters, peak_equity=some.capital + counters.booked)
    if outside:
        average = Decimal(str(price))
        held = Position(EXTERNAL, LOT, Product.MIS, outside, average, opened_at=world.now)
        world.state.portfolio.adopt(held)
        world.state.asked[LOT, Product.MIS] = outside  # and the owner said to ignore it
    world.broker.fills = False
    world.tick(price, key)
    running = world.state.instances[OURS]
    distance = max(price * running.options.stop / 100, float(instrument.tick_size))
    side = Side.BUY if code == 1 else Side.SELL
    room = size(world.state, DAY, running.options, instrument, side, price, distance)
    world.bar(code, key)
    asked = world.submits(Purpose.ENTRY)
    if not room:
        assert not asked
        return
    (entry,) = asked
    freeze = instrument.freeze_quantity or room
    assert entry.quantity == min(room, freeze // instrument.lot_size * instrument.lot_size)
    allowed = some.capital * risk / 100
    assert entry.stop_distance is not None
    assert entry.stop_distance * entry.quantity <= allowed
    # Filled at the price it was decided on, the stop that rests risks no more either, rounding and all.
    (order,) = world.working(Purpose.ENTRY)
    assert order.order_id is not None
    world.broker.fill(order.order_id, entry.quantity, Decimal(str(price)))
    world._drain()
    world.clock()
    plan = world.state.plans.get(Slot(OURS, key, Product.MIS))
    assume(plan is not None)
    assert plan is not None
    assert plan.stop is not None
    assert instrument.on_tick(plan.stop)
    assert abs(Decimal(str(price)) - plan.stop) * entry.quantity <= allowed


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40_000), st.integers(1, 30_000))
def test_the_gate_and_the_size_agree_on_what_is_one_unit_too_much(price: int, distance: int) -> None:
    """Whatever is denied for value or risk is denied because of the limits, not because of rounding."""
    world = DeskWorld()
    world.start()
    running = world.state.instances[OURS]
    per_unit = distance / 100
    units = size(world.state, DAY, running.options, RELIANCE, Side.BUY, float(price), per_unit)
    assume(units > 0)
    world.state.quotes[REL] = Tick(REL, world.now, float(price))
    wanted = _entry(world, units, Decimal(price), Decimal(distance) / 100)
    assert isinstance(RiskGate().approve(wanted), Approved)
    one_more = RiskGate().approve(_entry(world, units + 1, Decimal(price), Decimal(distance) / 100))
    assert getattr(one_more, "code", "") in RISKY


def _entry(world: DeskWorld, units: int, price: Decimal, distance: Decimal):
    from samples import request

    asked = replace(
        request(units, at=world.now), reference_price=price, stop_distance=distance, product=Product.MIS
    )
    case = case_of(world.state, world.now, asked)
    return replace(case, paused=False, entries_until=world.now + timedelta(hours=1))
