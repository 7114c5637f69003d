"""Candles on the bench, ready to be tested on; and a result put on the shelf with all that makes it again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trader.backtest.candles import Source
from trader.backtest.outcome import Outcome, Tell
from trader.backtest.spec import Spec
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.strategy.bars import Bars, moment
from trader.strategy.catalogue import Catalogue
from trader.strategy.options import parse_settings

if TYPE_CHECKING:
    from trader.backtest.result import Result
    from trader.backtest.run import Backtester

_SESSION_MINUTES = 375  # 09:15 to 15:30


@dataclass(frozen=True, slots=True)
class Wanted:
    """Candles as they were asked for: asked for again, they are the same."""

    source: Source
    keys: tuple[InstrumentKey, ...]
    interval: Interval
    first: date | None
    last: date | None

    @classmethod
    def of(cls, spec: Spec, source: Source, catalogue: Catalogue) -> Wanted:
        keys = tuple(dict.fromkeys(key for leg in spec.legs for key in leg.symbols))
        return cls(source, keys, spec.legs[0].interval, warm_from(spec, catalogue), spec.last)

    def written(self) -> dict[str, Any]:
        return {
            "source": self.source.written(),
            "symbols": list(self.keys),
            "interval": self.interval.value,
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
        }

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Wanted:
        """InvalidInput when it was not written by ``written``."""
        try:
            first, last = (written[name] and date.fromisoformat(written[name]) for name in ("first", "last"))
            keys = tuple(InstrumentKey(symbol) for symbol in written["symbols"])
            return cls(Source.read(written["source"]), keys, Interval(written["interval"]), first, last)
        except (KeyError, TypeError, ValueError) as e:
            raise InvalidInput(
                f"Expected candles as they were recorded, {type(e).__name__}: {e}. Give data=FOLDER."
            ) from None


@dataclass(slots=True)
class Bench:
    """``warnings`` are sentences on the candles."""

    backtester: Backtester
    data: Mapping[InstrumentKey, Bars]
    wanted: Wanted
    warnings: list[str] = field(default_factory=list)


def warm_from(spec: Spec, catalogue: Catalogue) -> date | None:
    """Where candles are needed from, so that indicators are settled on the first day: a session of 375
    minutes, and calendar days for the weekends and holidays among them."""
    if spec.first is None:
        return None
    most = 0
    for leg in spec.legs:
        strategy = parse_settings(catalogue.get(leg.strategy), dict(leg.settings)).strategy
        most = max(most, math.ceil(strategy.warmup * leg.interval.seconds / (_SESSION_MINUTES * 60)))
    return spec.first - timedelta(days=2 * most + 7)


def begin(wanted: Wanted, catalogue: Catalogue, tell: Tell) -> Bench:
    """Raises InvalidInput, FeedError with sentences to show."""
    from trader.backtest.run import Backtester
    from trader.backtest.world import World
    from trader.market.charges import Charges
    from trader.market.instruments import Instruments
    from trader.market.margins import Margins

    tell(0, 0, "reading candles")
    found = wanted.source.candles(wanted.keys, wanted.interval, wanted.first, wanted.last)
    if wanted.last is None:  # files grow, the test stays what it was
        newest = max(int(bars.start[-1]) for bars in found.data.values())
        wanted = replace(wanted, last=moment(newest).date())
    world = World(catalogue, Instruments(found.instruments), found.calendar, Charges.load(), Margins.load())
    tell(0, 0, "compiling" if not _compiled() else "running")
    return Bench(Backtester(world, found.data), found.data, wanted, list(found.warnings))


def keep(
    bench: Bench, result: Result, shelf: Path, tell: Tell, line: str = "", *, joined: bool = False
) -> Outcome:
    """``line``: what was typed. ``joined``: put together from several tests, so its spec alone does not make
    it again."""
    from trader.backtest.metrics import metrics
    from trader.backtest.page import page
    from trader.backtest.picture import picture
    from trader.backtest.shelf import PICTURE, Shelf
    from trader.backtest.summary import about, summary, title
    from trader.backtest.verdict import NOT_BELIEVED, disbelief

    tell(0, 0, "drawing the report")
    # All of them are kept: whoever opens the page next year has not read the chat.
    of_code = refused(bench.backtester.world.catalogue, result.spec)
    warnings = _sentences(of_code, bench.wanted.source.notes, bench.warnings, result.warnings)
    result = replace(result, warnings=warnings)
    found = metrics(result)
    kept = Shelf(shelf)
    html = page(result, found, bench.backtester.panel.bars)
    how = {"line": line, "candles": None if joined else bench.wanted.written()}
    number = kept.save(
        result, found, datetime.now(IST), page=html, picture=picture(result, found), how=how
    )  # fmt: skip
    return Outcome(
        id=number,
        title=title(result),
        about=f"{about(result)}{f' · {NOT_BELIEVED.lower()}' if disbelief(result.warnings) else ''}",
        rows=summary(found),
        notes=_sentences(result.warnings, found.notes),
        folder=str(kept.path(number)),
        pictures=[str(kept.path(number, PICTURE))],
        trades=len(result.trades),
        bars=result.bars,
        seconds=result.seconds,
    )


def refused(catalogue: Catalogue, spec: Spec) -> list[str]:
    """On strategies the desk would not start: who looks ahead has the best figures of all."""
    from trader.backtest.lookahead import check
    from trader.backtest.verdict import NOT_BELIEVED, Grade

    said = []
    for leg in spec.legs:
        kind = catalogue.get(leg.strategy)
        verdict = check(kind, dict(leg.settings), interval=leg.interval)
        if verdict.grade is Grade.FAIL:
            said.append(f"{NOT_BELIEVED}, the desk refuses {leg.strategy}. {verdict.sentence}")
    return list(dict.fromkeys(said))


def _sentences(*parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for part in parts for text in part))


def _compiled() -> bool:
    """Whether the loop was compiled before; the first time takes some seconds."""
    folder = Path(__file__).parent / "__pycache__"
    return any(folder.glob("kernel.*.nbi"))
