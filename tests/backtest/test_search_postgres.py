"""Searches on PostgreSQL: a throw-away cluster, two workers, no leftovers."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.backtest.searched import Awaiting, Market, space
from trader.backtest.search import Plan, search
from trader.backtest.trials.goal import Goal
from trader.backtest.trials.study import storage_at
from trader.backtest.workers import search_together
from trader.domain.errors import InvalidInput

SHARPE = Goal.parse("sharpe")
GRID = Plan("grid")


def installed(name: str) -> str | None:
    """Debian keeps the server's programs out of the path."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name) or next((str(p / name) for p in places if (p / name).exists()), None)


def unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    for user in ("postgres", "nobody"):
        try:
            pwd.getpwnam(user)
        except KeyError:
            continue
        return ["setpriv", "--reuid", user, "--clear-groups", "--"] if shutil.which("setpriv") else []
    return []


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    initdb, pg_ctl = installed("initdb"), installed("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL server on this machine (apt-get install postgresql)")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    if os.geteuid() == 0 and not unprivileged():
        pytest.skip("PostgreSQL does not run as root, and there is no other user to run it as")
    with tempfile.TemporaryDirectory(prefix="munim-pg-", dir="/tmp") as made:  # sockets need a short path
        folder = Path(made)
        if as_user := unprivileged():
            shutil.chown(folder, as_user[2])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        data, log = str(folder / "data"), str(folder / "log")
        run = partial(subprocess.run, check=True, capture_output=True, cwd=folder)
        run([*as_user, initdb, "-D", data, "-A", "trust", "-U", "munim", "--no-sync", "-E", "UTF8"])
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
        server = [*as_user, pg_ctl, "-D", data, "-l", log]
        # Its output goes to a file, or the pipe would stay open as long as the server runs.
        subprocess.run(
            [*server, "-w", "-o", options, "start"],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"postgres://munim@127.0.0.1:{port}/postgres"
        finally:
            run([*server, "-m", "immediate", "stop"])


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
