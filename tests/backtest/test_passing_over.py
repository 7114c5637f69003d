"""What is passed over would have changed nothing: every record is that of a run that is shown everything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from storage.paper import MemoryPaperJournal
from tests.service.sessions import ROOT
from trader.backtest.flatout import FlatOut
from trader.desk.commands import StartStrategy
from trader.desk.limits import RiskLimits
from trader.domain.instrument import instrument_key
from trader.domain.market import Interval
from trader.domain.records import Record, Setting
from trader.domain.times import IST
from trader.feed.cleaning import moment
from trader.feed.replay import ReplayMarket
from trader.feed.simulated import SimulatedMarket
from trader.strategy.catalogue import Catalogue

DAYS = 2
END = datetime(2026, 11, 20, 15, 30, tzinfo=IST)
BOTH = ("RELIANCE", "TCS")
TIGHT = {"stop": "0.2", "target": "0.3"}


class Kept:
    """A ledger that only remembers."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def commit(self, records: Sequence[Record]) -> None:
        # Marks of what may stay overnight are noted every few minutes, as far as anything is shown.
        self.records += [record for record in records if not isinstance(record, Setting)]


class ShownWhole(FlatOut):
    """Passes over nothing."""

    def run(self) -> int:
        for day in self._market.days:
            table = self._market.table(day)
            self._pass_time(moment(int(table.at[0])))
            for row in range(len(table)):
                self._show_open(table.batch(row))
                self._show_close(table.batch(row))
            self._pass_time(self._market.closes(day))
        return sum(len(self._market.table(day)) for day in self._market.days)


class Counting(FlatOut):
    """Counts what it shows."""

    parts = 0

    def _pass_time(self, at: datetime) -> None:
        self.parts += 1
        super()._pass_time(at)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stocks, of which one does not trade in every minute."""
    folder = tmp_path_factory.mktemp("recording")
    market = SimulatedMarket(12, END)
    for n, symbol in enumerate(BOTH):
        bars = market.bars(instrument_key(symbol), Interval.M1, 375 * DAYS, END)
        rows = [
            f"{b.start:%Y-%m-%d %H:%M:%S}+05:30,{b.open},{b.high},{b.low},{b.close},{b.volume}"
            for place, b in enumerate(bars)
            if not n or place % 7 or place % 375 in (0, 374)
        ]
        text = "\n".join(["date,open,high,low,close,volume", *rows])
        (folder / f"{symbol}_minute.csv").write_text(text + "\n")
    return folder


STARTS = {
    "one instrument": StartStrategy("ema_crossover", BOTH[:1], "1m"),
    "stops and targets": StartStrategy("ema_crossover", BOTH, "1m", TIGHT),
    "a trail": StartStrategy("breakout", BOTH, "1m", {"stop": "0.3", "target": "0", "trail": "0.2"}),
    "shares kept over night": StartStrategy("ema_crossover", BOTH, "1m", {"product": "CNC", "side": "long"}),
}


@pytest.mark.parametrize("name", STARTS)
def test_every_record_is_that_of_a_run_shown_whole(name: str, recording: Path) -> None:
    ledgers = Kept(), Kept()
    runs = [
        kind(
            ReplayMarket.from_path(recording),
            Catalogue.discover(ROOT / "strategies"),
            ledger,
            MemoryPaperJournal(),
            RiskLimits(),
        )
        for kind, ledger in zip((Counting, ShownWhole), ledgers, strict=True)
    ]
    for run in runs:
        assert run.ask(STARTS[name], "test:1").ok
        run.run()
    passing, whole = (ledger.records for ledger in ledgers)
    assert len(whole) > 100
    assert passing == whole
    assert isinstance(runs[0], Counting)
    assert runs[0].parts < 2 * 375 * DAYS * 0.7  # or nothing was put to the test
