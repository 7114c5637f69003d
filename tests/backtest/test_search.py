"""Searches find what is there, keep to their bounds, continue, stop, and work together."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from strategies.ema_crossover import EmaCrossover
from tests.backtest.searched import Awaiting, Market, space
from trader.backtest.search import Plan, Progress, search
from trader.backtest.space import Space
from trader.backtest.trials.goal import Goal
from trader.backtest.trials.study import storage_at
from trader.backtest.workers import search_together
from trader.domain.errors import InvalidInput, StrategyFault

GRID = Plan("grid")
SHARPE = Goal.parse("sharpe")


def test_a_grid_tries_every_combination_once() -> None:
    market = Market(edge=300)
    found = search(market, space(), SHARPE, plan=GRID)
    assert len(found.tried) == found.total == len(space().grid())
    assert {one.point for one in found.tried} == set(space().points())
    best = max(found.tried, key=lambda one: one.value)
    assert found.best == best
    assert abs(int(best.settings["fast"]) - 12) <= 2
    assert found.settings() == dict(best.settings)


def test_tpe_comes_near_the_best_of_a_large_space_in_few_trials() -> None:
    wide = Space.parse(EmaCrossover, {"fast": "2:50:1", "slow": "60:200:1", "stop": "0.5:5:0.1"})
    market = Market(edge=900, peak=31, width=14.0, own=0.02)
    found = search(market, wide, SHARPE, plan=Plan("tpe", trials=80, seed=3))
    assert len(found.tried) == 80
    assert len({one.point for one in found.tried}) == 80
    assert found.best is not None
    assert abs(int(found.best.settings["fast"]) - 31) <= 4


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_the_same_seed_gives_the_same_trials(sampler: str) -> None:
    plan = Plan(sampler, trials=25, seed=7)
    one = search(Market(edge=300), space(), SHARPE, plan=plan)
    two = search(Market(edge=300), space(), SHARPE, plan=plan)
    other = search(Market(edge=300), space(), SHARPE, plan=Plan(sampler, trials=25, seed=8))
    assert [tried.point for tried in one.tried] == [tried.point for tried in two.tried]
    assert [tried.point for tried in one.tried] != [tried.point for tried in other.tried]


def test_tpe_goes_through_a_small_space_whole_and_stops() -> None:
    small = Space.parse(EmaCrossover, {"fast": "5:9:1", "slow": "6,7"})
    found = search(Market(edge=100), small, SHARPE, plan=Plan("tpe", trials=500))
    assert found.total == len(found.tried) == len(small.grid()) == 3


def test_the_best_keeps_the_bounds_although_others_score_higher() -> None:
    free = search(Market(edge=300), space(), Goal.parse("net"), plan=GRID)
    drawdowns = sorted(one.figures["max_drawdown"] for one in free.tried)
    bound = drawdowns[len(drawdowns) // 4]
    assert free.best is not None
    goal = Goal.parse("net", [f"drawdown<={100 * bound:.6f}"])
    bounded = search(Market(edge=300), space(), goal, plan=GRID)
    assert bounded.best is not None
    assert bounded.best.figures["max_drawdown"] <= bound + 1e-6
    kept = [one for one in free.tried if one.figures["max_drawdown"] <= bound]
    assert bounded.best.value == max(one.value for one in kept)


def test_when_nothing_keeps_the_bounds_the_answer_names_the_one_broken() -> None:
    found = search(Market(edge=0), space(), Goal.parse("net", ["trades>=9999"]), plan=Plan("grid", trials=10))
    assert found.best is None
    assert found.nearest is not None
    with pytest.raises(InvalidInput, match=r"None of the 10 settings .* broke trades>=9,999"):
        found.settings()


def test_an_objective_to_be_small_is_made_small() -> None:
    found = search(Market(edge=200), space(), Goal.parse("drawdown"), plan=GRID)
    assert found.best is not None
    assert found.best.value == min(one.value for one in found.tried)


def test_a_search_continues_where_it_was_stopped(tmp_path: Path) -> None:
    market, storage = Market(edge=300), tmp_path / "optuna.db"
    asked = iter(range(1000))
    first = search(market, space(), SHARPE, plan=GRID, storage=storage, cancel=lambda: next(asked) >= 20)
    assert (first.stopped, len(first.tried)) == ("cancelled", 20)
    before = len(market.calls)
    second = search(market, space(), SHARPE, plan=GRID, storage=storage)
    assert second.name == first.name
    assert second.stopped == ""
    assert len(second.tried) == second.total
    assert len(market.calls) - before == second.total - 20 + 1  # and the probe
    fresh = search(Market(edge=300), space(), SHARPE, plan=GRID)
    assert fresh.best is not None
    assert second.best is not None
    assert (second.best.point, second.best.value) == (fresh.best.point, fresh.best.value)
    assert second.best.figures == fresh.best.figures
    done = search(market, space(), SHARPE, plan=GRID, storage=storage)
    assert len(done.tried) == done.total


def test_ctrl_c_ends_a_search_with_what_it_found(tmp_path: Path) -> None:
    market = Market(edge=300)

    def interrupted(now: Progress) -> None:
        if now.done == 12:
            raise KeyboardInterrupt

    found = search(market, space(), SHARPE, plan=GRID, storage=tmp_path / "optuna.db", progress=interrupted)
    assert (found.stopped, len(found.tried)) == ("cancelled", 12)
    assert found.best is not None


def test_a_disk_that_is_full_ends_a_search_with_a_sentence_and_what_was_written_is_kept(
    tmp_path: Path,
) -> None:
    resource = pytest.importorskip("resource")
    before, storage = resource.getrlimit(resource.RLIMIT_FSIZE), tmp_path / "optuna.db"

    def fills(now: Progress) -> None:
        if now.done == 12:  # no file of this process grows any more
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))

    try:
        with pytest.raises(InvalidInput, match=r"A trial could not be written: .*Those before it are kept"):
            search(Market(edge=300), space(), SHARPE, plan=GRID, storage=storage, progress=fills)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    asked: list[int] = []
    goes_on = search(
        Market(edge=300),
        space(),
        SHARPE,
        plan=GRID,
        storage=storage,
        progress=lambda now: asked.append(now.done),
    )
    assert len(goes_on.tried) == goes_on.total
    assert asked[0] >= 12


def test_a_search_ends_when_its_time_is_over() -> None:
    found = search(Market(edge=0), space(), SHARPE, plan=Plan("grid", seconds=0))
    assert (found.stopped, len(found.tried)) == ("time", 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data_hash": "others"}, "other candles"),
        ({"code_hash": "edited"}, "another version of the strategy"),
    ],
)
def test_a_name_is_not_continued_with_other_candles_or_code(
    tmp_path: Path, change: dict[str, str], words: str
) -> None:
    plan, storage = Plan("grid", trials=5, name="mine"), tmp_path / "optuna.db"
    search(Market(edge=0), space(), SHARPE, plan=plan, storage=storage)
    market = Market(edge=0)
    vars(market).update(change)
    with pytest.raises(InvalidInput, match=f"mine was begun with {words}"):
        search(market, space(), SHARPE, plan=plan, storage=storage)


def test_a_name_is_not_continued_with_another_question(tmp_path: Path) -> None:
    plan, storage = Plan("grid", trials=5, name="mine"), tmp_path / "optuna.db"
    search(Market(edge=0), space(), SHARPE, plan=plan, storage=storage)
    with pytest.raises(InvalidInput, match="another space, objective or constraint"):
        search(Market(edge=0), space(fast="5:9"), SHARPE, plan=plan, storage=storage)


def test_settings_without_a_figure_are_kept_out_not_counted_as_best() -> None:
    market = Market(edge=0)

    def still(settings: dict[str, str], span: object) -> object:
        result = market(settings)
        if int(settings["fast"]) < 15:
            result.equity[:] = 100_000.0
        return result

    found = search(still, space(), SHARPE, plan=GRID)  # type: ignore[arg-type]  # a function is one
    undefined = [one for one in found.tried if not one.defined]
    assert {int(one.settings["fast"]) for one in undefined} == set(range(5, 15))
    assert all("sharpe is not defined" in one.why for one in undefined)
    assert found.best is not None
    assert int(found.best.settings["fast"]) >= 15


def test_a_strategy_that_fails_at_some_settings_costs_those_trials_only() -> None:
    market = Market(edge=0)

    def fragile(settings: dict[str, str], span: object) -> object:
        if settings["fast"] == "7":
            raise StrategyFault("ema_crossover raised ValueError: no")
        return market(settings)

    found = search(fragile, space(), SHARPE, plan=GRID)  # type: ignore[arg-type]  # a function is one
    assert {one.settings["fast"] for one in found.tried if one.why} == {"7"}
    assert len(found.tried) == found.total


def test_a_strategy_that_always_fails_ends_the_search_with_its_words() -> None:
    calls = []

    def broken(settings: dict[str, str], span: object) -> object:
        calls.append(settings)
        if len(calls) > 1:  # the probe passes
            raise StrategyFault("ema_crossover raised ValueError: no")
        return Market(edge=0)(settings)

    with pytest.raises(InvalidInput, match=r"10 trials in a row failed.*ValueError: no"):
        search(broken, space(), SHARPE, plan=GRID)  # type: ignore[arg-type]  # a function is one


def test_two_processes_share_one_search_on_a_file(tmp_path: Path) -> None:
    storage = tmp_path / "optuna.db"
    here: list[Awaiting] = []
    found = search_together(
        partial(awaiting, storage, os.getpid(), here), space(), SHARPE, storage=storage, workers=2, plan=GRID
    )
    assert len(found.tried) == found.total == len(space().grid())
    assert here[0].calls - 1 < found.total, "the other process tried nothing"
    alone = search(Market(edge=300), space(), SHARPE, plan=GRID)
    assert found.best is not None
    assert alone.best is not None
    assert found.best.point == alone.best.point
    assert {one.point: one.value for one in found.tried} == {one.point: one.value for one in alone.tried}


def awaiting(storage: Path, first: int, here: list[Awaiting]) -> Awaiting | Market:
    """The process that is tested waits for the other; the other does not."""
    if os.getpid() != first:
        return Market(edge=300)
    here.append(Awaiting(lambda: trials_in(storage)))
    return here[0]


def trials_in(storage: Path) -> int:
    with closing(sqlite3.connect(storage)) as database:
        return int(database.execute("SELECT count(*) FROM trials").fetchone()[0])


def test_what_another_process_wrote_is_learnt(tmp_path: Path) -> None:
    storage = tmp_path / "optuna.db"
    search(
        Market(edge=300), space(), SHARPE, plan=Plan("grid", trials=30, name="n", worker=1), storage=storage
    )
    market = Market(edge=300)
    found = search(market, space(), SHARPE, plan=Plan("tpe", trials=40, name="n"), storage=storage)
    assert len(found.tried) == 40
    assert len(market.calls) == 10 + 1


def test_the_file_is_in_wal_and_readable_by_optunas_own_tools(tmp_path: Path) -> None:
    import optuna

    path = tmp_path / "deep" / "optuna.db"
    found = search(Market(edge=300), space(), SHARPE, plan=Plan("grid", trials=12), storage=path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert found.best is not None
    with storage_at(f"sqlite:///{path}") as storage:
        study = optuna.load_study(study_name=found.name, storage=storage)
        assert len(study.trials) == 12
        best = study.best_trial.params
    assert best == {name: int(text) for name, text in found.best.settings.items()}


@pytest.mark.parametrize(
    ("storage", "words"),
    [("mysql://somewhere/db", "Expected a database"), ("optuna.db", "Expected a database")],
)
def test_a_storage_that_cannot_be_is_answered_in_words(storage: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words), storage_at(storage):
        pass


def test_a_file_that_is_no_database_is_named_without_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    path.write_text("not a database, and long enough to be sure of it" * 10)
    with pytest.raises(InvalidInput, match=r"optuna\.db cannot be opened"), storage_at(path):
        pass


def test_optuna_itself_stays_silent(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        search(Market(edge=0), space(), SHARPE, plan=Plan("tpe", trials=15))
    assert [record for record in caplog.records if record.name.startswith("optuna")] == []
    assert capfd.readouterr() == ("", "")


def test_progress_counts_up_to_the_total_and_names_the_best() -> None:
    seen: list[Progress] = []
    found = search(Market(edge=300), space(), SHARPE, plan=Plan("grid", trials=40), progress=seen.append)
    assert [now.done for now in seen] == list(range(41))
    assert {now.total for now in seen} == {40}
    assert seen[-1].best == found.best
