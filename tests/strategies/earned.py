"""Writes "What they earned" of docs/strategies.md: ``python -m tests.strategies.earned``.

Every bundled strategy with its defaults on a year of real five-minute candles, which are not part of the
project: where they are not at hand, nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from trader.backtest.loading import load
from trader.backtest.metrics import metrics
from trader.backtest.report.words import money, percent, plain
from trader.backtest.result import Result
from trader.backtest.run import Backtester
from trader.backtest.spec import Leg, Spec
from trader.backtest.world import World
from trader.desk.limits import RiskLimits
from trader.domain.instrument import instrument_key
from trader.domain.market import Interval
from trader.market.charges import Charges
from trader.market.instruments import Instruments
from trader.market.margins import Margins
from trader.strategy.catalogue import Catalogue
from trader.strategy.options import parse_settings

ROOT = Path(__file__).resolve().parents[2]
CANDLES = ROOT.parent / "shared" / "data" / "5minute" / "stocks"
PAGE = ROOT / "docs" / "strategies.md"
BEGIN, END = "<!-- earned: begin -->\n", "<!-- earned: end -->"
SYMBOLS = ("HDFCBANK", "ICICIBANK", "INFY", "RELIANCE", "SBIN")
SLIPPAGE_BPS = 2.0
# Positions of up to a lakh, as by default, on ten times the capital: with one lakh most were ruined before
# the year was over, and the year is to be seen whole.
LIMITS = replace(RiskLimits(), capital=Decimal(1_000_000), max_drawdown_pct=Decimal(99))


def results(names: Sequence[str] | None = None) -> dict[str, Result]:
    """By strategy; all that decide on candles of single instruments, or of pairs."""
    catalogue = Catalogue.discover(ROOT / "strategies")
    keys = [instrument_key(symbol) for symbol in SYMBOLS]
    found = load(CANDLES, keys, Interval.M5)
    world = World(catalogue, Instruments(found.instruments), found.calendar, Charges.load(), Margins.load())
    backtester = Backtester(world, found.data)
    made = {}
    for name in names or catalogue.names():
        kind = catalogue.get(name)
        if not kind.decides_on_bars():
            continue
        symbols = tuple(keys[: kind.together] if kind.together else keys)
        leg = Leg(name, name, symbols, Interval.M5, parse_settings(kind, {}).settings)
        made[name] = backtester.run(Spec((leg,), limits=LIMITS, slippage_bps=SLIPPAGE_BPS))
    return made


def table() -> str:
    """The section between the marks."""
    made = results()
    any_one = next(iter(made.values()))
    first, last = metrics(any_one).months[0].first, metrics(any_one).months[-1].first
    lines = [
        f"With its defaults on real five-minute candles of {', '.join(SYMBOLS)} (the pair on the first two),"
        f" {first:%B %Y} to {last:%B %Y}: positions of up to ₹1,00,000 on a capital of ₹10,00,000, the desk's"
        f" other limits, {SLIPPAGE_BPS:g} hundredths of a percent lost by every market order, all charges.",
        "",
        "| strategy | trades | won | before charges | charges | net | drawdown | profit factor |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lost = 0
    for name, result in made.items():
        found = metrics(result)
        bets, fall = found.trading, found.drawdown
        lost += bets.net < 0
        lines.append(
            f"| `{name}` | {bets.trades:,} | {percent(bets.win_rate, 0)} | {money(bets.pnl)} "
            f"| {money(bets.charges, signed=False)} | {money(bets.net)} "
            f"| {percent(-fall.share) if fall else '–'} | {plain(bets.profit_factor)} |"
        )
    held = metrics(any_one).benchmark.growth.total
    lines += [
        "",
        f"Buying those five in equal parts and holding them made {percent(held, signed=True)}. "
        f"{lost} of {len(made)} lost money, most of it to charges and slippage: rules everybody knows find "
        "little, and trading often costs more than that. They are examples of how to write a strategy, not "
        "advice to run one.",
        "",
    ]
    return "\n".join(lines)


def written(page: str) -> str:
    """``page`` with the section made anew."""
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
