"""Values are copied and pickled as dataclasses are, only faster."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import get_args

import pytest

from trader.broker.paper.journal import PaperExecution, PaperOrder
from trader.domain.instrument import InstrumentKey
from trader.domain.order import (
    Approved,
    BrokerStatus,
    Order,
    OrderId,
    OrderType,
    OrderUpdate,
    Product,
    Side,
    Tag,
)
from trader.domain.records import Record, Setting
from trader.domain.times import IST
from trader.domain.values import Value, quick, replaced

AT = datetime(2026, 11, 20, 9, 15, tzinfo=IST)
UPDATE = OrderUpdate(
    OrderId("1"), Tag("T1"), InstrumentKey("NSE:RELIANCE"), Side.BUY, Product.MIS, OrderType.SL_M,
    BrokerStatus.TRIGGER_PENDING, 10, 0, Decimal("0.00"), AT, trigger_price=Decimal("990.05"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alone(Value):
    only: tuple[int, ...]


@pytest.mark.parametrize(
    "value",
    [
        UPDATE,
        Setting("a", "b"),
        Alone((1, 2)),
        PaperOrder(UPDATE, AT, AT),
        PaperExecution("1-1", OrderId("1"), 10, Decimal("990.10"), AT),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_comes_back_from_pickling_and_copying_as_it_was(value: Value) -> None:
    for again in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):  # noqa: S301 our own
        assert again == value
        assert repr(again) == repr(value)


def test_a_changed_copy_is_that_of_dataclasses() -> None:
    terms = {"status": BrokerStatus.OPEN, "price": Decimal("991.00"), "message": "changed"}
    assert replaced(UPDATE, **terms) == replace(UPDATE, **terms)  # type: ignore[arg-type] # as they come
    assert replaced(UPDATE) == UPDATE
    assert replaced(Alone((1,)), only=(2,)) == Alone((2,))
    assert UPDATE.status is BrokerStatus.TRIGGER_PENDING


def test_what_is_made_quickly_is_what_the_constructor_makes() -> None:
    terms = {one.name: getattr(UPDATE, one.name) for one in fields(UPDATE)}
    for left_out in ((), ("message", "price", "trigger_price")):
        given = {name: term for name, term in terms.items() if name not in left_out}
        made = quick(OrderUpdate)(**given)
        assert type(made) is OrderUpdate
        assert made == OrderUpdate(**given)
        assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 our own
        with pytest.raises(FrozenInstanceError):
            made.quantity = 5  # type: ignore[misc] # that is the point
    with pytest.raises(TypeError, match="only"):
        quick(Alone)()  # type: ignore[call-arg] # that is the point


def test_what_its_constructor_checks_is_not_made_in_passing_it_by() -> None:
    with pytest.raises(TypeError, match="Approved"):
        quick(Approved)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(KeyError, match="colour"):
        replaced(UPDATE, colour="red")


def test_a_value_stays_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        UPDATE.quantity = 5  # type: ignore[misc] # that is the point


@pytest.mark.parametrize("kind", [*get_args(Record), OrderUpdate, PaperOrder, PaperExecution])
def test_every_record_is_one_and_gives_all_its_fields_to_its_constructor(kind: type[Order]) -> None:
    assert issubclass(kind, Value)
    assert all(field.init and not field.kw_only for field in fields(kind))
