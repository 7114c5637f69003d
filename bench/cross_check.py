"""EMA crossover without stops and charges, trade for trade against backtesting.py on the same candles.

Our desk knows sessions and backtesting.py does not. So each product is compared twice: with the strategy as
backtesting.py has it, where every difference must have one of the reasons below, and with our session's two
rules written into its strategy, where no difference is allowed.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench.made_candles import YEAR, instruments, made, save, sessions
from bench.ours import crossover, in_peers, verdict, world
from trader.backtest.result import Reason, Result
from trader.backtest.run import Backtester
from trader.desk.checks.market import LAST_ENTRY
from trader.domain.times import IST
from trader.market.calendar import Venue
from trader.strategy.bars import Bars, moment

OPEN_AT_END = "open at the end: backtesting.py closes it at the last price, the desk holds it"
_MINUTE = 60_000_000
_CLOCK = 330  # the file's clock is UTC, this many minutes behind IST


class Dealt(NamedTuple):
    entry_at: int
    exit_at: int
    side: int
    quantity: int
    entry_price: float
    exit_price: float


@dataclass(frozen=True, slots=True)
class Product:
    """``last_entry`` and ``square_off`` are minutes of the file's day."""

    name: str
    options: dict[str, str]
    shorts: bool
    last_entry: int
    square_off: int | None


def products() -> Sequence[Product]:
    of = world(instruments(1)).calendar
    opens = moment(sessions(1)[0]).astimezone(IST)
    deadlines, session = of.deadlines(opens.date(), Venue.STOCK), of.session(opens.date(), Venue.STOCK)
    assert session is not None

    def minute(at: Any) -> int:
        return int(at.hour * 60 + at.minute - _CLOCK)

    last = minute(session.closes_at - LAST_ENTRY)  # at the latest, this moment included
    intraday = min(last, minute(deadlines.entries_until) - 1)
    return [
        Product("delivery, long only", {"product": "CNC", "side": "long"}, False, last, None),
        Product("intraday, both sides", {"product": "MIS"}, True, intraday, minute(deadlines.squareoff_at)),
    ]


def main(days: int = YEAR, variant: int = 0) -> bool:
    """Whether everything that differs is explained. ``variant`` other than 0 seeds a fault in our loop."""
    traded = instruments(1)
    data = made(traded, days)
    of = world(traded)
    backtester = Backtester(of, data)
    bars = next(iter(data.values()))
    print(f"EMA 9/21 without stops and charges against backtesting.py: {len(bars):,} one-minute candles")
    good = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "candles.npz"
        save(data, path)
        for product in products():
            options = {"stop": "5", "target": "0", **product.options}  # a stop too far away to be reached
            spec = crossover(of, list(data), options=options, charges=False)
            result = backtester.simulate(spec, variant=variant)
            ours = dealt(result)
            print(f"{product.name}: {len(ours):,} trades of ours, by {_reasons(result)}")
            good += [_checked(ours, product, bars, path, mirrored) for mirrored in (False, True)]
    return all(good)


def _checked(ours: Sequence[Dealt], product: Product, bars: Bars, path: Path, mirrored: bool) -> bool:
    rules: dict[str, Any] = {"shorts": product.shorts}
    if mirrored:
        rules |= {"last_entry": product.last_entry, "square_off": product.square_off}
    found = in_peers(["run_cross_check.py", str(path), json.dumps(rules)])
    theirs = [Dealt(*trade) for trade in found[0]["trades"]]
    same, kinds = compare(ours, theirs, product, bars)
    title = "with our session's rules" if mirrored else "as it is"
    print(f"  backtesting.py {title}: {len(theirs):,} trades, {same:,} the same in time, side, size, prices")
    for kind, count in sorted(kinds.items()):
        print(f"    {count:>6,}  {kind}")
    fine = set(kinds) <= {OPEN_AT_END} if mirrored else not kinds["not explained"]
    print(verdict("no difference" if mirrored else "every difference explained", fine))
    return fine


def dealt(result: Result) -> list[Dealt]:
    """Without what is still open at the end: no exchange executed that."""
    return [
        Dealt(*(trade[name].item() for name in Dealt._fields))
        for trade in result.trades
        if trade["reason"] != Reason.END
    ]


def compare(
    ours: Sequence[Dealt], theirs: Sequence[Dealt], product: Product, bars: Bars
) -> tuple[int, Counter[str]]:
    end = int(bars.start[-1])
    same = len(set(ours) & set(theirs))
    kinds: Counter[str] = Counter()
    mine, others = {trade.entry_at: trade for trade in ours}, {trade.entry_at: trade for trade in theirs}
    for at in sorted(mine.keys() | others.keys()):
        a, b = mine.get(at), others.get(at)
        if a != b:
            kinds[_why(a, b, product, end)] += 1
    return same, kinds


def _why(a: Dealt | None, b: Dealt | None, product: Product, end: int) -> str:
    if b is not None and b.exit_at >= end:
        return OPEN_AT_END
    if a is None and b is not None:
        # A signal at a close is executed at the next open: it was given when the candle before ended.
        given = b.entry_at // _MINUTE % (24 * 60)
        opens = given == 9 * 60 + 15 - _CLOCK
        if opens or given > product.last_entry:
            return "entries too late in the day, which the desk refuses (or would carry over night)"
    if a is not None and b is not None and a[2:5] == b[2:5]:
        left = a.exit_at // _MINUTE % (24 * 60)
        if product.square_off is not None and left == product.square_off and b.exit_at > a.exit_at:
            return "closed by our square-off, held on by backtesting.py"
    return "not explained"


def _reasons(result: Result) -> str:
    counted = Counter(Reason(int(code)).name.lower() for code in result.trades["reason"])
    return ", ".join(f"{reason} {count:,}" for reason, count in counted.most_common())


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else YEAR) else 1)
