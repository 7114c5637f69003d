"""Searches on PostgreSQL: a throw-away cluster, two workers, no leftovers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import pytest

from tests.backtest.searched import Awaiting, Market, space
from tests.postgres import cluster, missing
from trader.backtest.search import Plan, search
from trader.backtest.trials.goal import Goal
from trader.backtest.trials.study import storage_at
from trader.backtest.workers import search_together
from trader.domain.errors import InvalidInput

SHARPE = Goal.parse("sharpe")
GRID = Plan("grid")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    if why := missing():
        pytest.skip(why)
    with cluster() as address:
        yield address


def trials_in(database: str) -> int:
    import psycopg

    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM trials").fetchone()
        assert row is not None
        return int(row[0])


def awaiting(database: str, first: int, here: list[Awaiting]) -> Awaiting | Market:
    if os.getpid() != first:
        return Market(edge=300)
    here.append(Awaiting(lambda: trials_in(database)))
    return here[0]


def test_two_processes_share_one_search_on_a_server(database: str) -> None:
    here: list[Awaiting] = []
    make = partial(awaiting, database, os.getpid(), here)
    found = search_together(make, space(), SHARPE, storage=database, workers=2, plan=GRID)
    assert len(found.tried) == found.total == len(space().grid())
    assert here[0].calls - 1 < found.total, "the other process tried nothing"
    alone = search(Market(edge=300), space(), SHARPE, plan=GRID)
    assert {one.point: one.value for one in found.tried} == {one.point: one.value for one in alone.tried}


def test_a_search_on_a_server_continues_under_its_name(database: str) -> None:
    for plan in (Plan("grid", trials=10, name="mine"), Plan("tpe", trials=30, name="mine")):
        found = search(Market(edge=300), space(), SHARPE, plan=plan, storage=database)
        assert len(found.tried) == plan.trials
    other = Market(edge=300)
    other.data_hash = "others"
    with pytest.raises(InvalidInput, match="other candles"):
        search(other, space(), SHARPE, plan=Plan("tpe", name="mine"), storage=database)


def test_a_server_that_is_not_there_is_named_without_its_password(database: str) -> None:
    url = "postgresql://munim:secret@127.0.0.1:1/munim"
    with pytest.raises(InvalidInput, match="cannot be opened") as e, storage_at(url):
        pass
    assert "secret" not in str(e.value)
    assert "127.0.0.1:1/munim" in str(e.value)
