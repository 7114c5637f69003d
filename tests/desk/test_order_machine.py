"""Facts about one order, in whatever order and however often they arrive (faults.md 12 to 24)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import ID, change, later, request, update

from trader.desk import orders as machine
from trader.domain.order import BrokerStatus, Order, OrderState, OrderType, OrderUpdate, Purpose, Side

S, B = OrderState, BrokerStatus


def acked(quantity: int = 10) -> Order:
    return machine.acked(machine.intent(request(quantity)), ID, later(1))


def stop(quantity: int = 10) -> Order:
    wanted = request(quantity, Side.SELL, OrderType.SL_M, purpose=Purpose.STOP, trigger="990")
    order = machine.acked(machine.intent(wanted), ID, later(1))
    return machine.merge(order, resting(quantity)).order


def resting(quantity: int = 10, trigger: str = "990") -> OrderUpdate:
    return update(B.TRIGGER_PENDING, quantity=quantity, order_type=OrderType.SL_M, trigger=trigger)


def in_state(state: OrderState, filled: int = 0) -> Order:
    """An order in a state, with the id that goes with it."""
    order_id = None if state in (S.INTENT, S.UNKNOWN, S.DENIED, S.NOT_PLACED) else ID
    return replace(
        machine.intent(request()),
        state=state,
        order_id=order_id,
        filled_quantity=filled,
        average_price=Decimal(100) if filled else Decimal(0),
        prior_state=S.OPEN if state in (S.PENDING_CANCEL, S.PENDING_MODIFY) else None,
    )


def test_a_late_fact_does_not_put_an_orders_clock_back() -> None:
    """What moved last is told from what has stood still by it: rests, patience, the age of readings."""
    order = machine.merge(acked(), update(B.OPEN, 4, "100", seconds=9)).order
    assert machine.merge(order, update(B.OPEN, 6, "100", seconds=3)).order.updated_at == later(9)


def test_a_part_told_without_its_average_is_taken_at_that_of_the_parts_before_it() -> None:
    order = machine.merge(acked(), update(B.OPEN, 4, "1012.5")).order
    merged = machine.merge(order, update(B.OPEN, 6, "0"))
    assert merged.execution == machine.Execution(2, Decimal("1012.5"))


# -- histories ----------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> list[OrderUpdate]:
    """What a broker may legally tell of one order, oldest first."""
    quantity = draw(st.integers(1, 500))
    told = [update(B.PENDING, quantity=quantity, seconds=0)]
    if draw(st.booleans()):
        told.append(update(B.TRIGGER_PENDING, quantity=quantity, seconds=1))
    told.append(update(B.OPEN, quantity=quantity, seconds=2))
    filled, value = 0, Decimal(0)
    for number, part in enumerate(draw(st.lists(st.integers(1, 200), max_size=6)), start=3):
        part = min(part, quantity - filled)
        if not part:
            break
        filled += part
        value += part * Decimal(draw(st.integers(99_00, 101_00))) / 100
        status = B.COMPLETE if filled == quantity else B.OPEN
        average = str(value / filled)
        told.append(update(status, filled, average, quantity=quantity, seconds=number))
    if filled < quantity and draw(st.booleans()):
        average = str(value / filled) if filled else "0"
        end = draw(st.sampled_from([B.CANCELLED, B.REJECTED]))
        told.append(update(end, filled, average, quantity=quantity, seconds=50))
    return told


def fold(order: Order, told: list[OrderUpdate]) -> tuple[Order, list[machine.Execution]]:
    executions = []
    for one in told:
        merged = machine.merge(order, one)
        assert merged.order.filled_quantity >= order.filled_quantity
        order = merged.order
        if merged.execution is not None:
            executions.append(merged.execution)
    return order, executions


@given(histories(), st.data())
def test_any_permutation_with_duplicates_of_a_legal_history_ends_in_the_same_place(
    told: list[OrderUpdate], data: st.DataObject
) -> None:
    quantity = told[0].quantity
    straight, _ = fold(acked(quantity), told)
    copies = told + data.draw(st.lists(st.sampled_from(told), max_size=6))
    shuffled, executions = fold(acked(quantity), data.draw(st.permutations(copies)))
    assert (shuffled.state, shuffled.filled_quantity, shuffled.average_price) == (
        straight.state,
        straight.filled_quantity,
        straight.average_price,
    )
    assert sum(e.quantity for e in executions) == shuffled.filled_quantity
    paid = sum((e.quantity * e.price for e in executions), Decimal(0))
    assert abs(paid - machine.filled_value(shuffled)) < Decimal("0.0001")


@given(histories(), st.integers(0, 12), st.data())
def test_an_ack_at_any_moment_of_a_history_changes_nothing_but_the_id(
    told: list[OrderUpdate], when: int, data: st.DataObject
) -> None:
    order = machine.intent(request(told[0].quantity))
    before, after = told[:when], told[when:]
    order, _ = fold(order, before)
    order, _ = fold(machine.acked(order, ID, later(9)), after)
    straight, _ = fold(acked(told[0].quantity), told)
    assert (order.state, order.filled_quantity) == (straight.state, straight.filled_quantity)
    assert order.order_id == ID


# -- single facts -------------------------------------------------------------------------------------

TERMINAL = [S.CANCELLED, S.REJECTED, S.EXPIRED]


@pytest.mark.parametrize("state", TERMINAL)
def test_an_ended_order_takes_a_larger_cumulative_fill_and_keeps_its_end(state: OrderState) -> None:
    merged = machine.merge(in_state(state, filled=3), update(B.OPEN, 5, "101"))
    assert (merged.order.state, merged.order.filled_quantity) == (state, 5)
    assert merged.execution is not None
    assert merged.execution.quantity == 2


@pytest.mark.parametrize("state", TERMINAL)
def test_an_ended_order_that_is_filled_whole_after_all_is_filled(state: OrderState) -> None:
    assert machine.merge(in_state(state), update(B.COMPLETE, 10, "101")).order.state is S.FILLED


@pytest.mark.parametrize("state", [*TERMINAL, S.FILLED])
@pytest.mark.parametrize("status", [B.PENDING, B.OPEN, B.TRIGGER_PENDING, B.CANCELLED])
def test_an_ended_order_is_never_working_again(state: OrderState, status: BrokerStatus) -> None:
    assert machine.merge(in_state(state, filled=5), update(status, 5, "100")).order.state is state


@pytest.mark.parametrize("state", [S.DENIED, S.NOT_PLACED, S.REJECTED])
@pytest.mark.parametrize(
    ("fact", "after"),
    [
        (update(B.OPEN), S.OPEN),
        (update(B.OPEN, 4, "100"), S.PARTIAL),
        (update(B.COMPLETE, 10, "100"), S.FILLED),
        (update(B.CANCELLED), S.CANCELLED),
        (update(B.REJECTED), S.REJECTED),
    ],
    ids=str,
)
def test_an_order_believed_absent_that_turns_up_is_what_the_book_shows(
    state: OrderState, fact: OrderUpdate, after: OrderState
) -> None:
    absent = replace(in_state(state), order_id=None)
    merged = machine.merge(absent, fact)
    assert (merged.order.state, merged.order.order_id) == (after, ID)


@pytest.mark.parametrize(
    ("state", "refused", "unknown", "not_placed"),
    [
        (S.INTENT, S.REJECTED, S.UNKNOWN, S.NOT_PLACED),
        (S.UNKNOWN, S.REJECTED, S.UNKNOWN, S.NOT_PLACED),
        (S.ACKED, S.ACKED, S.ACKED, S.ACKED),
        (S.OPEN, S.OPEN, S.OPEN, S.OPEN),
        (S.PARTIAL, S.PARTIAL, S.PARTIAL, S.PARTIAL),
        (S.FILLED, S.FILLED, S.FILLED, S.FILLED),
        (S.CANCELLED, S.CANCELLED, S.CANCELLED, S.CANCELLED),
    ],
)
def test_what_we_hear_of_a_send_never_overrules_what_the_broker_showed(
    state: OrderState, refused: OrderState, unknown: OrderState, not_placed: OrderState
) -> None:
    order = in_state(state)
    assert machine.refused(order, "no", later(3)).state is refused
    assert machine.unknown(order, "?", later(3)).state is unknown
    assert machine.not_placed(order, "absent", later(3)).state is not_placed


@pytest.mark.parametrize("state", [S.PENDING_CANCEL, S.PENDING_MODIFY])
def test_a_failed_request_falls_back_to_how_far_the_order_had_come_meanwhile(state: OrderState) -> None:
    order = machine.merge(in_state(state), update(B.OPEN, 4, "100")).order
    assert order.state is state
    assert machine.change_answered(order, None, "refused", later(5)).state is S.PARTIAL


def test_an_accepted_cancel_waits_for_the_broker_to_say_cancelled() -> None:
    order = machine.change_answered(machine.cancelling(acked(), later(2)), None, "", later(3))
    assert order.state is S.PENDING_CANCEL
    assert machine.merge(order, update(B.CANCELLED)).order.state is S.CANCELLED


@pytest.mark.parametrize(
    ("first", "then", "state", "filled"),
    [
        (update(B.COMPLETE, 10, "100"), update(B.CANCELLED), S.FILLED, 10),
        (update(B.OPEN, 4, "100"), update(B.CANCELLED, 4, "100"), S.CANCELLED, 4),
        (update(B.CANCELLED), update(B.OPEN, 4, "100"), S.CANCELLED, 4),
        (update(B.CANCELLED, 4, "100"), update(B.COMPLETE, 10, "100"), S.FILLED, 10),
    ],
    ids=["filled first", "part filled first", "part filled late", "filled late"],
)
def test_a_cancel_may_cross_a_fill(
    first: OrderUpdate, then: OrderUpdate, state: OrderState, filled: int
) -> None:
    order = machine.cancelling(acked(), later(2))
    order, _ = fold(order, [first, then])
    assert (order.state, order.filled_quantity) == (state, filled)


def test_a_failed_change_restores_the_terms_and_an_accepted_one_keeps_the_new() -> None:
    before = stop()
    changing = machine.modifying(before, change(10, OrderType.MARKET, None, Purpose.EXIT))
    assert changing.order_type is OrderType.MARKET
    failed = machine.change_answered(changing, before, "refused", later(3))
    terms = (failed.order_type, failed.trigger_price, failed.purpose, failed.quantity, failed.state)
    assert terms == (OrderType.SL_M, Decimal(990), Purpose.STOP, 10, S.TRIGGER_PENDING)
    done = machine.change_answered(changing, before, "", later(3))
    assert (done.order_type, done.trigger_price, done.purpose) == (OrderType.MARKET, None, Purpose.EXIT)


def test_nothing_is_cancelled_while_the_answer_to_a_change_is_due() -> None:
    changing = machine.modifying(stop(), change(10, OrderType.MARKET, None, Purpose.EXIT))
    assert machine.cancelling(changing, later(3)) is changing


def test_an_answer_to_a_change_after_the_order_filled_changes_nothing() -> None:
    before = stop()
    changing = machine.modifying(before, change(10, OrderType.MARKET, None, Purpose.EXIT))
    filled = machine.merge(changing, update(B.COMPLETE, 10, "995")).order
    for error in ("", "Order cannot be modified as it is being processed"):
        assert machine.change_answered(filled, before, error, later(4)) is filled


LOST = [
    (resting(trigger="990"), OrderType.SL_M, Purpose.STOP, S.TRIGGER_PENDING),
    (update(B.OPEN, order_type=OrderType.MARKET), OrderType.MARKET, Purpose.EXIT, S.OPEN),
    (update(B.OPEN, order_type=OrderType.LIMIT, price="985"), OrderType.MARKET, Purpose.EXIT, S.OPEN),
]


@pytest.mark.parametrize(
    ("row", "order_type", "purpose", "state"), LOST, ids=["not taken", "taken", "market protection"]
)
def test_a_change_whose_answer_was_lost_is_what_the_book_shows(
    row: OrderUpdate, order_type: OrderType, purpose: Purpose, state: OrderState
) -> None:
    changing = machine.modifying(stop(), change(10, OrderType.MARKET, None, Purpose.EXIT))
    order = machine.settled(machine.merge(changing, row).order, row, later(40))
    assert (order.order_type, order.purpose, order.state) == (order_type, purpose, state)
    assert order.price is None


def test_a_part_filled_without_a_price_is_never_booked_at_nothing() -> None:
    """Kite documents average_price for complete orders only (kite.md 11)."""
    order, executions = fold(
        acked(), [update(B.OPEN, 4, "0"), update(B.OPEN, 6, "0"), update(B.COMPLETE, 10, "1001")]
    )
    assert order.average_price == Decimal(1001)
    assert [e.price > 0 for e in executions] == [True, True, True]
    assert sum(e.quantity * e.price for e in executions) == Decimal(10010)


def test_an_overfill_is_recorded_as_it_is() -> None:
    order, executions = fold(acked(10), [update(B.COMPLETE, 12, "100")])
    assert (order.filled_quantity, order.state, executions[0].quantity) == (12, S.FILLED, 12)


@pytest.mark.parametrize("state", [s for s in OrderState if s.working])
def test_a_day_order_ends_with_its_day(state: OrderState) -> None:
    assert machine.expired(in_state(state), later(99)).state is S.EXPIRED


@pytest.mark.parametrize("state", [s for s in OrderState if s.terminal])
def test_what_has_ended_does_not_expire(state: OrderState) -> None:
    assert machine.expired(in_state(state), later(99)).state is state
