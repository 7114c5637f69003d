"""Each figure against a formula worked by hand or by somebody else's library."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import CAPITAL, SYMBOLS, curve, made_result

from trader.backtest.compiled.fields import DENIALS
from trader.backtest.metrics import NUMBERS, metrics, numbers, refusals
from trader.backtest.report.growth import _worst_mean, annual
from trader.backtest.report.trading import luck, win_rate_band
from trader.backtest.result import TRADE, Reason
from trader.backtest.summary import sections, summary, text

WHOLE_NUMBERS = st.lists(st.integers(-4000, 4000).map(float), min_size=0, max_size=60)


# -- returns --------------------------------------------------------------------------------------------


def test_a_curve_worked_by_hand() -> None:
    m = metrics(curve([102_000.0, 101_000.0, 103_000.0, 100_000.0]))
    returns = np.array([0.02, -1 / 102, 2 / 101, -3 / 103])
    assert m.growth.total == pytest.approx(0.0)
    assert m.growth.cagr == pytest.approx(0.0)
    assert m.growth.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(252))
    downside = math.sqrt(((1 / 102) ** 2 + (3 / 103) ** 2) / 4)
    assert m.growth.sortino == pytest.approx(returns.mean() / downside * math.sqrt(252))
    assert m.growth.days_up == 0.5
    assert m.growth.best_day is not None
    assert (m.growth.best_day.rupees, m.growth.best_day.share) == (2000.0, 0.02)
    assert m.growth.worst_day is not None
    assert m.growth.worst_day.first == date(2024, 1, 4)
    assert m.growth.worst_day.rupees == -3000.0


def test_a_year_of_252_days_returns_what_it_returned() -> None:
    m = metrics(curve(list(np.linspace(100_000, 120_000, 252))))
    assert m.growth.cagr == pytest.approx(0.20)
    assert annual(0.21, 504) == pytest.approx(0.10)
    assert annual(-1.0, 10) == annual(-1.2, 10) == -1.0
    assert math.isnan(annual(0.1, 0))
    assert annual(50.0, 1) == math.inf  # beyond a double


def test_a_risk_free_rate_is_taken_off_each_day() -> None:
    result = made_result(3, days=60)
    plain, dear = metrics(result).growth, metrics(result, risk_free=0.065).growth
    day = 1.065 ** (1 / 252) - 1
    returns = np.diff(np.concatenate(([CAPITAL], result.equity[74::75]))) / np.concatenate(
        ([CAPITAL], result.equity[74:-1:75])
    )
    assert dear.sharpe == pytest.approx((returns.mean() - day) / returns.std(ddof=1) * math.sqrt(252))
    assert dear.sharpe < plain.sharpe
    assert dear.cagr == plain.cagr


@pytest.mark.parametrize("seed", range(5))
def test_ratios_agree_with_skfolios_portfolio(seed: int) -> None:
    import pandas as pd
    from skfolio import Portfolio

    result = made_result(seed, days=80, edge=0.0005 * (seed - 2))
    last = pd.Series(result.equity, pd.to_datetime(result.at, unit="us", utc=True)).groupby(
        lambda at: at.tz_convert("Asia/Kolkata").date()
    )
    equity = last.last()
    returns = equity.pct_change().fillna(equity.iloc[0] / CAPITAL - 1)
    theirs = Portfolio(X=pd.DataFrame({"own": returns.to_numpy()}), weights=[1.0])
    ours = metrics(result).growth
    assert ours.sharpe == pytest.approx(theirs.sharpe_ratio * math.sqrt(252))
    assert ours.volatility == pytest.approx(theirs.standard_deviation * math.sqrt(252))
    assert ours.tail == pytest.approx(theirs.cvar)


def test_months_sum_to_the_whole_and_compound_to_it() -> None:
    m = metrics(made_result(7, days=130))
    assert len(m.months) == 6
    assert sum(month.rupees for month in m.months) == pytest.approx(m.growth.rupees)
    assert math.prod(1 + month.share for month in m.months) == pytest.approx(1 + m.growth.total)


# -- drawdown -------------------------------------------------------------------------------------------


def test_the_deepest_drawdown_has_its_dates() -> None:
    m = metrics(curve([110_000, 99_000, 104_500, 110_000, 111_000, 105_000, 108_000.0]))
    fall = m.drawdown
    assert fall is not None
    assert fall.share == pytest.approx(0.1)
    assert fall.rupees == pytest.approx(11_000)
    assert [at.date() for at in (fall.peak_at, fall.trough_at)] == [date(2024, 1, 1), date(2024, 1, 2)]
    assert fall.recovered_at is not None
    assert fall.recovered_at.date() == date(2024, 1, 4)
    assert fall.days == 3
    assert m.longest is not None
    assert (m.longest.peak_at.date(), m.longest.recovered_at) == (date(2024, 1, 5), None)
    assert m.longest.days == 4  # over a weekend
    assert [round(one.share, 4) for one in m.drawdowns] == [0.1, 0.0541]
    assert m.calmar == pytest.approx(m.growth.cagr / 0.1)


def test_a_loss_on_the_first_candle_is_a_drawdown_from_the_capital() -> None:
    fall = metrics(curve([90_000, 95_000.0])).drawdown
    assert fall is not None
    assert (fall.share, fall.rupees, fall.recovered_at) == (pytest.approx(0.1), 10_000, None)


def test_a_fall_within_the_day_counts() -> None:
    result = made_result(1, days=1, trades_a_day=0)
    equity = result.equity.copy()
    equity[30] = 80_000.0
    fall = metrics(replace(result, equity=equity)).drawdown
    assert fall is not None
    assert fall.share == pytest.approx(0.2)
    assert f"{fall.trough_at:%H:%M}" == "11:50"
    assert fall.days == 0


@given(st.lists(st.integers(50, 200).map(float), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_drawdowns_agree_with_the_plain_definition(values: list[float]) -> None:
    m = metrics(curve(values, capital=100.0))
    path = [100.0, *values]
    assert (m.drawdowns[0] if m.drawdowns else None) == m.drawdown
    worst = max(1 - low / max(path[: n + 1]) for n, low in enumerate(path))
    assert (m.drawdown.share if m.drawdown else 0.0) == pytest.approx(worst)
    below = [value < max(path[: n + 1]) for n, value in enumerate(path)]
    spells = sum(1 for before, now in pairwise(below) if now and not before)
    assert len(m.drawdowns) == min(spells, 5)
    for fall in m.drawdowns:
        assert fall.peak_at <= fall.trough_at
        assert fall.recovered_at is None or fall.trough_at < fall.recovered_at


# -- trades ---------------------------------------------------------------------------------------------


def test_trades_worked_by_hand() -> None:
    m = metrics(curve([100_000] * 6, trades=[100, -50, 200, -50, -100, 0.0]))
    bets = m.trading
    assert (bets.trades, bets.wins, bets.losses) == (6, 2, 3)
    assert bets.win_rate == pytest.approx(1 / 3)
    assert bets.profit_factor == pytest.approx(300 / 200)
    assert bets.expectancy == pytest.approx(100 / 6)
    assert bets.expectancy_r == pytest.approx(100 / 6 / (200 / 3))
    assert bets.payoff == pytest.approx(150 / (200 / 3))
    assert (bets.win_streak, bets.loss_streak) == (1, 2)  # neither continues over a trade of nothing
    deviation = np.std([100, -50, 200, -50, -100, 0], ddof=1)
    assert bets.sqn == pytest.approx(math.sqrt(6) * (100 / 6) / deviation)
    assert bets.best is not None
    assert bets.worst is not None
    assert (bets.best.n, bets.best.net, bets.worst.n, bets.worst.net) == (2, 200, 4, -100)
    assert bets.held_minutes == 60
    assert bets.gave_back == pytest.approx(np.mean([0, 60, 0, 60, 110, 10]))  # best price seen was 101


def test_charges_turn_a_win_into_a_loss() -> None:
    result = curve([100_000] * 2, trades=[100, -50.0])
    result.trades["charges"] = [110, 10]
    bets = metrics(result).trading
    assert (bets.pnl, bets.charges, bets.net) == (50, 120, -70)
    assert (bets.wins, bets.losses) == (0, 2)
    assert bets.gross_profit == 100
    assert bets.charges_share == pytest.approx(1.2)
    assert "Gained ₹50 before charges, and charges took ₹120." in metrics(result).notes


@pytest.mark.parametrize(
    ("trades", "charges", "phone", "whole"),
    [
        ([100.0, -50.0], [20, 10], "₹30 (30% of gains)", "30.0%"),
        ([100.0, -50.0], [1638, 10], "₹1,648 (exceed gains)", "more than all of it"),
        ([-100.0, -50.0], [20, 10], "₹30 (no gains)", "–"),
        ([100.0, -50.0], [0, 0], "₹0", "0.0%"),
        ([5e8, -50.0], [12_345_678, 0], "₹1,23,45,678 (2% of gains)", "2.5%"),
        ([5e8, -50.0], [1_234_567_890, 0], "₹1,23,45,67,890", "more than all of it"),
    ],
)
def test_charges_stand_beside_the_gains_they_were_paid_from(
    trades: list[float], charges: list[float], phone: str, whole: str
) -> None:
    result = curve([100_000] * 2, trades=trades)
    result.trades["charges"] = charges
    m = metrics(result)
    assert dict(summary(m))["Charges"] == phone
    assert dict(row for name, rows in sections(m) for row in rows)["Charges of that"] == whole


def test_luck_is_the_students_t_of_the_mean_trade() -> None:
    from scipy import stats

    m = metrics(made_result(5, days=60, edge=0.001))
    assert m.luck == pytest.approx(stats.t.sf(m.trading.sqn, m.trading.trades - 1))
    assert m.win_rate_band[0] < m.trading.win_rate < m.win_rate_band[1]


@pytest.mark.parametrize(("wins", "trades"), [(0, 1), (1, 1), (0, 40), (40, 40), (13, 40), (3_000, 7_919)])
def test_the_band_of_the_win_rate_is_wilsons(wins: int, trades: int) -> None:
    from scipy import stats

    band = stats.binomtest(wins, trades).proportion_ci(0.95, method="wilson")
    assert win_rate_band(wins, trades) == pytest.approx((band.low, band.high), abs=1e-12)


@pytest.mark.parametrize("trades", [2, 3, 30, 5_000])
def test_luck_is_scipys_t_test(trades: int) -> None:
    from scipy import stats

    net = np.random.default_rng(trades).normal(5.0, 100.0, trades)
    assert luck(net) == pytest.approx(stats.ttest_1samp(net, 0.0, alternative="greater").pvalue)


def test_turnover_leaves_out_what_was_never_sold() -> None:
    result = curve([100_000] * 2, trades=[100, 50.0])
    result.trades["reason"][1] = Reason.END
    m = metrics(result)
    assert m.holding.turnover == pytest.approx(10 * 100 + 10 * 110 + 10 * 100)
    assert m.holding.turnover_a_day == pytest.approx(m.holding.turnover / CAPITAL / 2)
    assert m.trading.open_at_end == 1
    assert any("still open" in note for note in m.notes)


def test_exposure_is_what_was_held_at_the_closes() -> None:
    result = replace(curve([100_000] * 4), exposure=np.array([0, 50_000, 0, 150_000.0]))
    held = metrics(result).holding
    assert (held.in_market, held.average_gross, held.most_gross) == (0.5, 0.5, 1.5)


@given(WHOLE_NUMBERS, st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_every_breakdown_sums_to_the_whole(nets: list[float], seed: int) -> None:
    result = curve([CAPITAL] * len(nets), trades=nets)
    random = np.random.default_rng(seed)
    result.trades["charges"] = random.integers(0, 100, len(nets))
    result.trades["reason"] = random.integers(0, 6, len(nets))
    result.trades["side"] = random.choice([-1, 1], len(nets))
    m = metrics(result)
    assert set(m.breakdowns) == {"month", "weekday", "hour", "symbol", "side", "exit", "strategy"}
    for slices in m.breakdowns.values():
        assert sum(one.trades for one in slices) == m.trading.trades
        assert sum(one.wins for one in slices) == m.trading.wins
        assert sum(one.pnl for one in slices) == pytest.approx(m.trading.pnl)
        assert sum(one.charges for one in slices) == pytest.approx(m.trading.charges)
        assert sum(one.net for one in slices) == pytest.approx(m.trading.net)
        assert all(one.trades for one in slices)


def test_breakdowns_agree_with_pandas() -> None:
    result = made_result(11, days=60, symbols=SYMBOLS, legs=2)
    m, frame = metrics(result), result.frame()
    keys = {
        "month": frame.exit_at.dt.strftime("%b %Y"),
        "weekday": frame.entry_at.dt.strftime("%a"),
        "hour": frame.entry_at.dt.strftime("%H:00"),
        "symbol": frame.symbol.str.removeprefix("NSE:"),
        "side": frame.side,
        "exit": frame.reason,
        "strategy": frame.leg,
    }
    for name, key in keys.items():
        theirs = frame.groupby(key).net.sum().to_dict()
        assert {one.label: one.net for one in m.breakdowns[name]} == pytest.approx(theirs)
    assert [one.label for one in m.breakdowns["month"]] == ["Jan 2024", "Feb 2024", "Mar 2024"]
    assert [one.label for one in m.breakdowns["weekday"]] == ["Mon", "Tue", "Wed", "Thu", "Fri"]


# -- edges ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "result",
    [
        curve([]),
        curve([100_000.0]),
        curve([100_500.0], trades=[500.0]),
        curve([99_500.0], trades=[-500.0]),
        curve([99_000.0, 98_000.0, 97_000.0], trades=[-1000.0] * 3),
        curve([0.0, -5.0], trades=[-100_000.0, -5.0]),
        replace(curve([100_000.0] * 3), close=np.full((3, 1), np.nan)),
    ],
    ids=["nothing", "no trades", "one win", "one loss", "only equal losses", "ruin", "no closes"],
)
def test_nothing_breaks_at_the_edges(result: object) -> None:
    m = metrics(result)  # type: ignore[arg-type]  # each is a Result
    assert set(m.numbers()) == {*NUMBERS, "buy_and_hold"}
    assert summary(m)
    assert sections(m)
    assert m.growth.days < 4


def test_undefined_is_not_zero() -> None:
    none = metrics(curve([100_000.0] * 3)).numbers()
    for name in ("sharpe", "sortino", "calmar", "profit_factor", "win_rate", "sqn", "expectancy"):
        assert math.isnan(none[name]), name
    only_wins = metrics(curve([101_000.0, 102_500.0], trades=[1000.0, 1500.0])).numbers()
    assert only_wins["profit_factor"] == only_wins["sortino"] == only_wins["calmar"] == math.inf
    ruin = metrics(curve([0.0, -5.0], trades=[-100_000.0, -5.0])).numbers()
    assert ruin["cagr"] == -1.0


def test_the_quick_numbers_are_the_same_numbers() -> None:
    result = made_result(2)
    full = metrics(result).numbers()
    del full["buy_and_hold"]
    assert numbers(result) == full
    assert set(full) == set(NUMBERS)


def test_a_result_without_charges_says_so() -> None:
    result = made_result(1)
    free = replace(result, spec=replace(result.spec, charges=False))
    assert not any("Without charges" in note for note in metrics(result).notes)
    assert metrics(free).notes[0].startswith("Without charges")


def test_notes_say_what_the_figures_do_not_prove() -> None:
    few = metrics(made_result(1, days=5, trades_a_day=1)).notes
    assert "Only 5 trades: chance alone explains most results this small." in few
    assert "Only 5 trading days: yearly figures are extrapolations." in few
    wrong = replace(made_result(1), equity=made_result(1).equity + 900.0)
    assert any("do not trust this result" in note for note in metrics(wrong).notes)
    assert not any("do not trust" in note for note in metrics(made_result(1)).notes)
    halted = replace(made_result(1), halted="drawdown", halted_on=date(2024, 2, 1))
    (said,) = [note for note in metrics(halted).notes if "ended all trading" in note]
    assert said.startswith("The limit drawdown ended all trading on 1 Feb 2024: ")
    assert "drawdown=20 would set it to 20% for this test." in said


@pytest.mark.parametrize(("limit", "wider"), [("10", "=20"), ("20", "=50"), ("50", "=99"), ("99", "")])
def test_a_limit_that_ended_the_test_is_never_told_to_be_made_narrower(limit: str, wider: str) -> None:
    made = made_result(1)
    limits = replace(made.spec.limits, max_drawdown_pct=Decimal(limit))
    halted = replace(made, spec=replace(made.spec, limits=limits), halted="drawdown")
    (said,) = [note for note in metrics(halted).notes if "ended all trading" in note]
    assert f"drawdown{wider} would" in said if wider else said.endswith("without trades.")


def test_entries_that_the_limits_refused_are_told_where_they_are_many() -> None:
    made = made_result(1, days=40, trades_a_day=3)
    assert len(made.trades) == 120

    def said(**denied: int) -> list[str]:
        notes = metrics(replace(made, denied=denied)).notes
        return [note for note in notes if "entries asked for" in note]

    assert said() == said(entries_over=500) == said(open_positions=13) == []
    assert said(entries_over=40, open_positions=60, cooldown=20, capital=10) == [
        "Of 250 entries asked for 90 were refused: 60 because as many positions as the desk allows were "
        "open; 20 because the pause after losses in a row lasted."
    ]


def test_every_reason_to_refuse_an_entry_has_words() -> None:
    made = made_result(1)
    assert refusals(replace(made, denied={})) == "none"
    assert refusals(replace(made, denied={"cooldown": 2, "session_closed": 1200})) == (
        "1,200 because the market was closed; 2 because the pause after losses in a row lasted"
    )
    for code in DENIALS:
        assert not refusals(replace(made, denied={code: 1})).endswith(f"because {code}")


# -- words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", [-0.02, 0.0, 0.3])
def test_the_phones_table_is_34_columns_wide(edge: float) -> None:
    rows = summary(metrics(made_result(4, days=200, trades_a_day=6, edge=edge)))
    left = max(len(name) for name, _ in rows)
    assert left <= 10
    assert max(len(name) + 1 + len(value) for name, value in rows) <= 34
    assert rows[0][0] == "Net"
    assert "₹" in rows[0][1]


def test_the_shells_report_has_every_part() -> None:
    result = made_result(4)
    said = text(result, metrics(result))
    for part in (
        "ema_crossover",
        "RELIANCE, INFY",
        "Sharpe",
        "Deepest",
        "By weekday",
        "By symbol",
        "3 candles",
    ):
        assert part in said
    assert "nan" not in said


def test_the_made_results_add_up() -> None:
    """The factory's equity is what its trades make, else nothing tested with it means anything."""
    result = made_result(9, days=20, legs=2)
    assert result.trades.dtype == TRADE
    assert result.equity[-1] == pytest.approx(CAPITAL + result.net)


@given(st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=400))
@settings(max_examples=60, deadline=None)
def test_the_worst_days_mean_is_skfolios_conditional_value_at_risk(returns: list[float]) -> None:
    from skfolio import measures

    array = np.array(returns)
    assert _worst_mean(array, 0.05) == pytest.approx(float(measures.cvar(array, beta=0.95)), abs=1e-12)
