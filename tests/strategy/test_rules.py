"""Risk and execution numbers: tables of what they say, and properties that hold whatever goes in."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from trader.domain.instrument import Exchange, Instrument
from trader.strategy import rules
from trader.strategy.rules import NO_EXIT, STOP_EXIT, TARGET_EXIT

LONG, SHORT = 1, -1
PRICES = st.integers(1, 10_000_00).map(lambda paise: paise / 100)
SIDES = st.sampled_from([LONG, SHORT])
PERCENTS = st.floats(0.01, 20)


@st.composite
def ranges(draw):
    """A bar: open, high, low."""
    prices = sorted(draw(st.tuples(PRICES, PRICES, PRICES)))
    return prices[1], prices[2], prices[0]


# -- size ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capital", "risk_pct", "distance", "price", "lot", "max_value", "units"),
    [
        (100_000, 1.0, 10.0, 500.0, 1, 100_000, 100),  # ₹1,000 at risk, ₹10 a unit
        (100_000, 1.0, 10.0, 500.0, 1, 20_000, 40),  # as many as ₹20,000 buys
        (100_000, 1.0, 10.0, 500.0, 75, 100_000, 75),  # whole lots
        (100_000, 1.0, 10.0, 500.0, 150, 100_000, 0),  # not one lot
        (100_000, 1.0, 0.7, 100.0, 1, 1e9, 1428),
        (29, 1.0, 0.01, 1.0, 1, 1e9, 29),  # 28.999999999999996 in floats
        (100_000, 1.0, 5.0, 100.0, 1, 0.0, 0),
        (100_000, 1.0, 0.0, 100.0, 1, 1e9, 0),
        (100_000, 0.0, 5.0, 100.0, 1, 1e9, 0),
        (-5_000, 1.0, 5.0, 100.0, 1, 1e9, 0),
        (100_000, 1.0, 5.0, 0.0, 1, 1e9, 0),
        (100_000, 1.0, 5.0, 100.0, 0, 1e9, 0),
        (math.nan, 1.0, 5.0, 100.0, 1, 1e9, 0),
        (100_000, 1.0, math.nan, 100.0, 1, 1e9, 0),
        (math.inf, 1.0, 5.0, 100.0, 1, math.inf, 0),
        (1e300, 1.0, 1e-300, 1.0, 1, math.inf, 0),
    ],
)
def test_size_by_risk_and_value(capital, risk_pct, distance, price, lot, max_value, units):
    size = rules.position_size(capital, risk_pct, distance, price, lot, max_value)
    assert size == units
    assert type(size) is int


@given(
    capital=st.floats(1, 1e8),
    risk_pct=st.floats(0.01, 2),
    distance=st.floats(0.05, 1_000),
    price=PRICES,
    lot=st.integers(1, 2_000),
    max_value=st.floats(1, 1e8),
)
def test_a_size_is_whole_lots_within_both_limits_and_one_lot_more_is_not(
    capital, risk_pct, distance, price, lot, max_value
):
    units = rules.position_size(capital, risk_pct, distance, price, lot, max_value)
    allowed, slack = capital * risk_pct / 100, 1 + 1e-6
    assert units >= 0
    assert units % lot == 0
    assert units * distance <= allowed * slack
    assert units * price <= max_value * slack
    more = units + lot
    assert more * distance * slack > allowed or more * price * slack > max_value


# -- levels --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "stop", "target"), [(LONG, 495.0, 510.0), (SHORT, 505.0, 490.0)])
def test_a_stop_is_on_the_losing_side_and_a_target_on_the_winning(side, stop, target):
    assert rules.stop_price(500.0, side, 1.0) == pytest.approx(stop)
    assert rules.target_price(500.0, side, 2.0) == pytest.approx(target)


def test_no_percentage_no_level():
    assert rules.stop_price(500.0, LONG, 0.0) == rules.target_price(500.0, SHORT, 0.0) == 0.0
    assert rules.target_price(500.0, SHORT, 100.0) == 0.0  # a price of nothing is no target


@given(PRICES, SIDES, PERCENTS)
def test_levels_lie_on_their_sides_and_mirror(entry, side, percent):
    stop, target = rules.stop_price(entry, side, percent), rules.target_price(entry, side, percent)
    assert (entry - stop) * side > 0
    assert (target - entry) * side > 0
    assert rules.stop_price(entry, -side, percent) == target


@given(SIDES, PRICES, st.lists(ranges(), min_size=1, max_size=20), st.floats(0, 500), st.booleans())
def test_a_trailing_stop_never_loosens_and_keeps_its_distance(side, entry, bars, distance, stopped):
    stop = rules.stop_price(entry, side, 1.0) if stopped else 0.0
    best = entry
    for _, high, low in bars:
        before, best_before = stop, best
        best = rules.best_price(side, best, high, low)
        stop = rules.trailed_stop(side, best, distance, stop)
        assert (best - best_before) * side >= 0
        assert (high <= best) if side == LONG else (low >= best)
        assert stop >= 0.0
        if before:
            assert (stop - before) * side >= 0
        if stop != before:
            assert stop == best - side * distance


@pytest.mark.parametrize(
    ("side", "best", "distance", "stop", "trailed"),
    [
        (LONG, 520.0, 5.0, 495.0, 515.0),
        (LONG, 520.0, 5.0, 516.0, 516.0),
        (LONG, 520.0, 0.0, 495.0, 495.0),
        (LONG, 520.0, 5.0, 0.0, 515.0),
        (LONG, 3.0, 5.0, 0.0, 0.0),
        (SHORT, 480.0, 5.0, 505.0, 485.0),
        (SHORT, 480.0, 5.0, 484.0, 484.0),
        (SHORT, 480.0, 5.0, 0.0, 485.0),
        (SHORT, 0.0, 5.0, 505.0, 505.0),  # no best price yet
    ],
)
def test_trailed_stops(side, best, distance, stop, trailed):
    assert rules.trailed_stop(side, best, distance, stop) == trailed


def test_the_first_range_sets_a_best_price_where_there_is_none():
    assert rules.best_price(LONG, 0.0, 12.0, 8.0) == 12.0
    assert rules.best_price(SHORT, 0.0, 12.0, 8.0) == 8.0


# -- exits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "stop", "target", "bar", "code", "price"),
    [
        (LONG, 95.0, 110.0, (100.0, 105.0, 98.0), NO_EXIT, 0.0),
        (LONG, 95.0, 110.0, (100.0, 105.0, 95.0), STOP_EXIT, 95.0),
        (LONG, 95.0, 110.0, (100.0, 110.0, 98.0), TARGET_EXIT, 110.0),
        (LONG, 95.0, 110.0, (100.0, 112.0, 94.0), STOP_EXIT, 95.0),  # both: the stop came first
        (LONG, 95.0, 110.0, (93.0, 112.0, 92.0), STOP_EXIT, 93.0),  # opened below the stop
        (LONG, 95.0, 110.0, (111.0, 112.0, 94.0), TARGET_EXIT, 111.0),  # opened above the target
        (SHORT, 105.0, 90.0, (100.0, 104.0, 92.0), NO_EXIT, 0.0),
        (SHORT, 105.0, 90.0, (100.0, 105.0, 92.0), STOP_EXIT, 105.0),
        (SHORT, 105.0, 90.0, (100.0, 104.0, 90.0), TARGET_EXIT, 90.0),
        (SHORT, 105.0, 90.0, (100.0, 106.0, 89.0), STOP_EXIT, 105.0),
        (SHORT, 105.0, 90.0, (107.0, 108.0, 89.0), STOP_EXIT, 107.0),
        (SHORT, 105.0, 90.0, (88.0, 106.0, 87.0), TARGET_EXIT, 88.0),
        (LONG, 0.0, 0.0, (100.0, 1000.0, 1.0), NO_EXIT, 0.0),
        (SHORT, 0.0, 90.0, (100.0, 1000.0, 90.0), TARGET_EXIT, 90.0),
    ],
)
def test_how_a_bar_ends_a_position(side, stop, target, bar, code, price):
    assert rules.exit_in_range(side, stop, target, *bar) == (code, price)


@given(SIDES, PRICES, PERCENTS, PERCENTS, ranges())
def test_an_exit_is_at_a_price_of_the_bar_and_what_is_open_goes_against_the_trader(
    side, entry, stop_pct, target_pct, bar
):
    stop = rules.stop_price(entry, side, stop_pct)
    target = rules.target_price(entry, side, target_pct)
    open_, high, low = bar
    code, price = rules.exit_in_range(side, stop, target, open_, high, low)
    reached = {
        STOP_EXIT: rules.stop_hit(side, stop, low, high),
        TARGET_EXIT: rules.target_hit(side, target, low, high),
    }
    if code == NO_EXIT:
        assert not any(reached.values())
        assert price == 0.0
        return
    assert reached[code]
    assert low <= price <= high
    if code == STOP_EXIT:
        assert (price - stop) * side <= 0  # never better than the stop
    else:
        assert (price - target) * side >= 0
        assert not reached[STOP_EXIT] or price == open_  # a target beats the stop only at the open


# -- signals -------------------------------------------------------------------------------------------

BOOLS = st.booleans()


@pytest.mark.parametrize(
    ("held", "signal", "wanted"),
    [
        (0, "", 0),
        (0, "EL", 1),
        (0, "ES", -1),
        (0, "EL ES", 0),
        (0, "EL XL", 0),
        (1, "", 1),
        (1, "XL", 0),
        (1, "XS", 1),
        (1, "EL", 1),
        (1, "ES", -1),
        (1, "EL ES", 1),
        (1, "XL ES", -1),
        (1, "ES XS", 1),
        (-1, "XS", 0),
        (-1, "EL", 1),
        (-1, "XL", -1),
        (-1, "XS EL", 1),
    ],
)
def test_where_a_signal_leads(held, signal, wanted):
    flags = [word in signal.split() for word in ("EL", "XL", "ES", "XS")]
    assert rules.wanted_side(held, *flags, True, True) == wanted


def test_an_entry_that_is_not_allowed_still_closes_what_stands_against_it():
    assert rules.wanted_side(1, False, False, True, False, True, False) == 0
    assert rules.wanted_side(-1, True, False, False, False, False, True) == 0


@given(st.sampled_from([-1, 0, 1]), BOOLS, BOOLS, BOOLS, BOOLS, BOOLS, BOOLS)
def test_signals_lead_to_allowed_sides_and_long_mirrors_short(held, el, xl, es, xs, longs, shorts):
    wanted = rules.wanted_side(held, el, xl, es, xs, longs, shorts)
    assert wanted in (-1, 0, 1)
    if wanted != held:
        assert wanted == 0 or (longs if wanted > 0 else shorts)
    assert rules.wanted_side(-held, es, xs, el, xl, shorts, longs) == -wanted


# -- ticks ---------------------------------------------------------------------------------------------

TICKS = st.sampled_from(["0.01", "0.05", "0.1", "0.5", "1", "5", "0.0025"])


@given(st.integers(1, 2_000_000_00), TICKS)
@example(10110, "0.05")
def test_prices_of_two_decimals_round_to_ticks_as_decimals_do(paise, tick):
    exact = Decimal(paise) / 100
    line = Instrument(Exchange.NSE, "X", 1, Decimal(tick))
    price, step = float(exact), float(tick)
    assert rules.floor_to_tick(price, step) == float(line.round_down(exact))
    assert rules.ceil_to_tick(price, step) == float(line.round_up(exact))
    assert rules.nearest_tick(price, step) == float(line.round_nearest(exact))


@given(PRICES, SIDES, PERCENTS, TICKS)
def test_a_computed_price_lands_on_the_grid_and_stays_there(entry, side, percent, tick):
    price, step = rules.stop_price(entry, side, percent), float(tick)
    assume(price > step)
    for rounded in (f(price, step) for f in (rules.floor_to_tick, rules.ceil_to_tick, rules.nearest_tick)):
        assert Decimal(repr(rounded)) % Decimal(tick) == 0
        assert abs(rounded - price) < step * (1 + 1e-6)
        assert rules.floor_to_tick(rounded, step) == rules.ceil_to_tick(rounded, step) == rounded
    assert (
        rules.floor_to_tick(price, step) <= rules.nearest_tick(price, step) <= rules.ceil_to_tick(price, step)
    )


# -- compiled ------------------------------------------------------------------------------------------

CALLS = {
    "position_size": [(100_000.0, 1.0, 10.0, 500.0, 75, 100_000.0), (0.0, 1.0, 10.0, 500.0, 75, 1.0)],
    "stop_price": [(501.35, 1, 1.3), (501.35, -1, 0.0)],
    "target_price": [(501.35, -1, 1.3), (501.35, 1, 0.0)],
    "best_price": [(1, 500.0, 510.0, 490.0), (-1, 500.0, 510.0, 490.0)],
    "trailed_stop": [(1, 510.0, 5.0, 495.0), (-1, 510.0, 5.0, 0.0)],
    "stop_hit": [(1, 495.0, 494.0, 500.0), (-1, 0.0, 494.0, 500.0)],
    "target_hit": [(1, 495.0, 494.0, 500.0), (-1, 0.0, 494.0, 500.0)],
    "exit_in_range": [(1, 95.0, 110.0, 100.0, 112.0, 94.0), (-1, 105.0, 90.0, 100.0, 104.0, 92.0)],
    "wanted_side": [(1, False, False, True, False, True, True), (0, True, False, False, False, True, True)],
    "floor_to_tick": [(101.13, 0.05)],
    "ceil_to_tick": [(101.13, 0.05)],
    "nearest_tick": [(101.13, 0.05)],
}


def test_numba_compiles_every_rule_to_the_same_answers():
    numba = pytest.importorskip("numba", reason="numba is not installed")
    from numba.extending import register_jitable

    for rule in rules.RULES:
        register_jitable(rule)
    public = [rule for rule in rules.RULES if not rule.__name__.startswith("_")]
    assert [rule.__name__ for rule in public] == list(CALLS)
    for rule in public:
        compiled = numba.njit(rule)
        for arguments in CALLS[rule.__name__]:
            assert compiled(*arguments) == rule(*arguments), rule.__name__


def test_every_rule_is_in_the_list_for_compilers():
    defined = {
        value for value in vars(rules).values() if callable(value) and value.__module__ == rules.__name__
    }
    assert set(rules.RULES) == defined
