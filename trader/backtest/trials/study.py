"""A search's record in Optuna's database: SQLite alone, PostgreSQL for workers on many machines.

Trials are written finished, one transaction each. Optuna's own loop writes every parameter and attribute as
it becomes known: four times slower, and a killed worker leaves half a trial behind for ever.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trader.backtest.result import Result
from trader.backtest.space import Space
from trader.backtest.trials.distributions import distributions
from trader.backtest.trials.evaluate import Span
from trader.backtest.trials.goal import Goal
from trader.backtest.trials.samplers import quiet
from trader.backtest.trials.tried import Tried
from trader.domain.errors import InvalidInput

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.study import Study

FILE = "optuna.db"  # under DATA_DIR
_BUSY_SECONDS = 60
_OPENINGS = 5  # two processes may make the tables at the same moment; one of them is told that they exist
_IDENTITY = "munim"
_WORDS = {
    "asked": "another space, objective or constraint",
    "tested": "other instruments, limits or days",
    "data": "other candles",
    "code": "another version of the strategy or of the rules",
}


class Record:
    """One study by its name. Not for several threads."""

    def __init__(self, storage: BaseStorage, name: str, space: Space, goal: Goal) -> None:
        import optuna

        quiet()
        self.name = name
        self._space = space
        self._distributions = distributions(space)
        self._study: Study = optuna.create_study(
            storage=storage,
            study_name=name,
            load_if_exists=True,
            direction="maximize" if goal.higher else "minimize",
        )
        self._read = 0

    def claim(self, identity: Mapping[str, str]) -> None:
        """Refuses to go on with trials of something else: they would be compared with what they are not."""
        there: dict[str, str] | None = self._study.user_attrs.get(_IDENTITY)
        if there is None:
            with _written():
                self._study.set_user_attr(_IDENTITY, dict(identity))
            return
        other = [_WORDS.get(key, key) for key in identity if there.get(key) != identity[key]]
        if other:
            raise InvalidInput(
                f"The search {self.name} was begun with {' and '.join(other)}, so its trials cannot be "
                "continued; give this one another name"
            )

    def add(self, tried: Tried) -> None:
        """InvalidInput when it cannot be written, as on a full disk."""
        with _written():
            self._study.add_trial(tried.trial(self._space, self._distributions))

    def fresh(self) -> list[Tried]:
        """What was written since the last time, by whomever."""
        trials = self._study.get_trials(deepcopy=False)
        new, self._read = trials[self._read :], len(trials)
        found = (Tried.from_trial(self._space, trial) for trial in new)
        return [tried for tried in found if tried is not None]


@contextmanager
def _written() -> Iterator[None]:
    """What the database says when it cannot write, in one sentence. Optuna hides it two errors deep."""
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except StorageInternalError as e:
        cause = getattr(e.__cause__, "orig", None) or e.__cause__ or e
        said = str(cause).partition("\n")[0]
        raise InvalidInput(f"A trial could not be written: {said}. Those before it are kept.") from e


def identity(space: Space, goal: Goal, span: Span, probe: Result) -> dict[str, str]:
    """What must be the same for trials to be comparable. ``probe`` is any Result of the search."""
    spec = probe.spec
    tested = [
        [(leg.name, leg.strategy, leg.symbols, str(leg.interval)) for leg in spec.legs],
        _unsearched(space, probe),
        repr(spec.limits),
        spec.slippage_bps,
        spec.charges,
        str(span),
    ]
    return {
        "asked": digest([str(space), str(goal)]),
        "tested": digest(tested),
        "data": probe.data_hash,
        "code": probe.code_hash,
    }


def _unsearched(space: Space, probe: Result) -> list[list[tuple[str, str]]]:
    searched = {axis.name for axis in space.axes}
    return [
        [
            (name, text)
            for name, text in leg.settings
            if leg.strategy != space.strategy.name or name not in searched
        ]
        for leg in probe.spec.legs
    ]


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


@contextmanager
def storage_at(where: str | Path | None) -> Iterator[BaseStorage]:
    """A path is a SQLite file; a text is a database's URL; None is in memory. InvalidInput when it cannot be
    opened. Its connections end with the block."""
    from optuna.storages import InMemoryStorage

    quiet()
    if where is None:
        yield InMemoryStorage()
        return
    storage = _open(where)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _open(where: str | Path) -> RDBStorage:
    failure: Exception | None = None
    for attempt in range(_OPENINGS):
        try:
            return _opened(where)
        except InvalidInput:
            raise
        except sqlite3.DatabaseError as e:
            failure = e
            break  # another file than a database, or in another place: no use in asking again
        except Exception as e:  # SQLAlchemy's own errors, which this folder may not import
            failure = e
            time.sleep(0.2 * attempt)
    shown = where if isinstance(where, Path) else where.rpartition("@")[2]  # no password in a message
    reason = str(failure).partition("\n")[0]
    raise InvalidInput(f"The searches at {shown} cannot be opened: {reason}") from failure


def _opened(where: str | Path) -> RDBStorage:
    from optuna.storages import RDBStorage

    if isinstance(where, Path):
        where.parent.mkdir(parents=True, exist_ok=True)
        return RDBStorage(f"sqlite:///{where}", engine_kwargs={"creator": _sqlite(where)})
    scheme, separator, rest = where.partition("://")
    if scheme in ("postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg"):
        return RDBStorage(f"postgresql+psycopg{separator}{rest}", engine_kwargs=_postgres())
    if scheme.startswith("sqlite") and rest.startswith("/"):
        return _opened(Path(rest.removeprefix("/")))
    raise InvalidInput(
        "Expected a database of searches as postgresql://user@host/name or a file, "
        f"was {scheme}{separator}{rest.rpartition('@')[2]}"  # no password in a message
    )


def _postgres() -> dict[str, Any]:
    if find_spec("psycopg") is None:  # SQLAlchemy loads it by name; asked here for a better sentence
        raise InvalidInput(
            "A search on PostgreSQL needs its driver psycopg, which is not installed: "
            "pip install 'psycopg[binary]'"
        )
    return {"pool_pre_ping": True}  # a search outlives a connection


def _sqlite(path: Path) -> Any:
    with sqlite3.connect(path, timeout=_BUSY_SECONDS) as first:
        first.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for each other
    first.close()

    def connect() -> sqlite3.Connection:
        # IMMEDIATE: a transaction that begins by reading cannot wait for its turn to write.
        connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level="IMMEDIATE", check_same_thread=False
        )
        connection.execute("PRAGMA synchronous = NORMAL")  # a lost power supply costs a trial, never the file
        return connection

    return connect
