"""The short way to SQLite writes what SQLAlchemy's own would, to the byte, and all of it or nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from generated_records import records_of
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_samples import order
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from storage.models import metadata
from storage.paper_rows import EXECUTION
from storage.paper_rows import ORDER as PAPER_ORDER
from storage.pens import _bound, _transact
from storage.rows import ORDER, ORDER_EVENT, SHAPES, Shape, batch_of, statement
from trader.domain.order import OrderState, Tag
from trader.domain.records import OrderEvent

EVERY_SHAPE = [*SHAPES.values(), PAPER_ORDER, EXECUTION]


def emptied() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    metadata.create_all(engine)
    return connection


def lies(connection: sqlite3.Connection, shape: Shape[Any]) -> list[Any]:
    """Each value with its kind."""
    columns = ", ".join(f'"{name}", typeof("{name}")' for name in shape.columns)
    return connection.execute(f"SELECT {columns} FROM {shape.table.name} ORDER BY rowid").fetchall()  # noqa: S608 - names of our own


@pytest.mark.parametrize("shape", EVERY_SHAPE, ids=lambda shape: shape.kind.__name__)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_record_lies_as_sqlalchemy_would_have_written_it(shape: Shape[Any], data: st.DataObject) -> None:
    rows = [
        shape.row(record) for record in data.draw(st.lists(records_of(shape.kind), min_size=1, max_size=3))
    ]
    with closing(emptied()) as short, closing(emptied()) as long:
        _transact(short, [_bound(shape, rows)])
        engine = create_engine("sqlite://", creator=lambda: long, poolclass=StaticPool)
        with engine.begin() as connection:
            named = [dict(zip(shape.columns, row, strict=True)) for row in rows]
            connection.execute(statement(shape, "sqlite"), named)
        assert lies(short, shape) == lies(long, shape) != []


def test_of_a_transaction_that_fails_midway_nothing_is_there_when_its_connection_is_closed(
    tmp_path: Any,
) -> None:
    path = tmp_path / "munim.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as made:
        engine = create_engine("sqlite://", creator=lambda: made, poolclass=StaticPool)
        metadata.create_all(engine)
    first = order("M1")
    batch = batch_of([first, OrderEvent(Tag("M1"), 1, first.request.at, None, OrderState.INTENT, "")])
    (sql, (row,)) = _bound(ORDER_EVENT, batch[ORDER_EVENT])
    torn = [_bound(ORDER, batch[ORDER]), (sql, [[*row[:4], None, row[5]]])]  # an event that leads nowhere
    writing = sqlite3.connect(path, isolation_level=None)
    with closing(writing), pytest.raises(sqlite3.IntegrityError):
        _transact(writing, torn)
    with closing(sqlite3.connect(path)) as reading:
        assert lies(reading, ORDER) == lies(reading, ORDER_EVENT) == []
