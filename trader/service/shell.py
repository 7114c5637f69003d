"""Backtests and searches from the command line: the same work as chat's, in this process, with files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trader.domain.errors import InvalidInput
from trader.domain.times import IST
from trader.market.symbols import instrument_of
from trader.service.settings import Market, Settings
from trader.service.studies import BACKTEST, CANDLES, OPTIMIZE, SHELF
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from rich.console import Console

    from trader.backtest.asked import Asked
    from trader.backtest.candles import Source
    from trader.backtest.spec import Spec
    from trader.backtest.work import Hunt, Outcome, Tell

_WIDE = 34


def backtest(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    """``bot.py backtest ema_crossover RELIANCE 5m 90d fast=9 data=candles/5m``."""
    return _study(settings, catalogue, words, usage(BACKTEST), search=False)


def optimize(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    return _study(settings, catalogue, words, usage(OPTIMIZE), search=True)


def usage(chat: str) -> str:
    """Chat's, as the command line has it."""
    return f"bot.py {chat.removeprefix('/')} [data=FOLDER]"


def asked_and_spec(
    settings: Settings, catalogue: Catalogue, words: Sequence[str], usage: str, *, ranged: bool = False
) -> tuple[Asked, Spec]:
    """Raises InvalidInput, UnknownName with the sentence that helps."""
    from trader.backtest.asked import asked
    from trader.backtest.work import spec_of

    wanted = asked(words, datetime.now(IST).date(), usage)
    risk = {"risk": f"{settings.limits.risk_per_trade_pct.normalize():f}"}
    spec = spec_of(
        wanted, catalogue, lambda text: instrument_of(text).key, settings.limits,
        float(settings.paper.slippage_bps), risk, ranged=ranged,
    )  # fmt: skip
    return wanted, spec


def source_of(settings: Settings, wanted: Asked) -> Source:
    """``data=`` first, then what this desk's market has."""
    from trader.backtest.candles import Source

    if "data" in wanted.own:
        return Source(str(Path(wanted.own["data"]).expanduser()))
    match settings.market:
        case Market.REPLAY:
            return Source(str(settings.replay_path))
        case Market.ZERODHA:
            return Source(str(settings.data_dir / CANDLES))
        case Market.SIMULATED:
            return Source(seed=settings.seed, until=datetime.now(IST))


def _study(
    settings: Settings, catalogue: Catalogue, words: Sequence[str], usage: str, *, search: bool
) -> int:
    from trader.backtest.work import do, hunt_of, work_for

    wanted, spec = asked_and_spec(settings, catalogue, words, usage, ranged=search)
    hunt: Hunt | None = hunt_of(wanted) if search else None
    if catalogue.folder is None:
        raise InvalidInput("These strategies come from no folder.")
    shelf = settings.data_dir.resolve() / SHELF
    work = work_for(spec, source_of(settings, wanted).written(), catalogue.folder, shelf, hunt)
    with told() as tell:
        outcome = do(work, tell)
    show(outcome)
    return 0


@contextmanager
def told() -> Iterator[Tell]:
    """A progress bar on people's terminals; nothing in a pipe but what comes out in the end."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(error=True), transient=True) as progress:
        task = progress.add_task("starting", total=None)

        def tell(done: int, total: int, text: str) -> None:
            progress.update(task, description=text, completed=done, total=total or None)

        yield tell


def console(*, error: bool = False) -> Console:
    from rich.console import Console

    return Console(file=sys.stderr if error else sys.stdout, highlight=False, markup=False)


def show(outcome: Outcome) -> None:
    """The table, what speaks against it, and where everything is."""
    screen = console()
    screen.print(outcome.title, style="bold")
    screen.print(outcome.about)
    lines(screen, outcome.best)
    lines(screen, outcome.rows)
    for note in outcome.notes:
        screen.print(f"• {note}")
    if outcome.stopped:
        screen.print(f"Stopped early: {outcome.stopped}. The same line goes on from here.")
    screen.print(f"{outcome.bars:,} candles, {outcome.trades:,} trades, {outcome.seconds * 1000:,.1f} ms")
    screen.print(f"Report: {outcome.folder}/page.html")


def lines(screen: Console, rows: Sequence[tuple[str, str]], width: int = _WIDE) -> None:
    for name, value in rows:
        screen.print(f"{name}{value:>{max(width - len(name), len(value) + 1)}}")
    if rows:
        screen.print()


COMMANDS: dict[str, Callable[[Settings, Catalogue, Sequence[str]], int]] = {
    "backtest": backtest,
    "optimize": optimize,
}
