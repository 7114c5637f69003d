"""``bot.py parity``: the same candles through the compiled loop and the live desk, trade against trade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from trader.domain.money import rupees
from trader.service.settings import Settings
from trader.service.shell import FINE, FOUND, asked_and_spec, bullet, console, source_of, table, told
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from rich.console import Console

    from trader.backtest.parity import Dealt, Difference, Parity

USAGE: Final = "bot.py parity NAME SYMBOLS INTERVAL 90d [key=value …] [data=FOLDER]"


def run(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    """FOUND when they differ."""
    from trader.backtest.asked import RULES
    from trader.backtest.bench import Wanted, begin, refused
    from trader.backtest.parity import parity

    wanted, spec = asked_and_spec(settings, catalogue, words, USAGE, RULES)
    source = source_of(settings, wanted.own.get("data"))
    with told() as tell:
        bench = begin(Wanted.of(spec, source, catalogue), catalogue, tell)
        tell(0, 0, "both trade the same candles")
        found = parity(spec, bench.data, bench.backtester.world)
        notes = [*refused(catalogue, spec), *source.notes, *bench.warnings, *found.result.warnings]
    return show(found, notes)


def show(found: Parity, notes: Sequence[str] = ()) -> int:
    from trader.backtest.summary import about, title

    screen = console()
    screen.print(title(found.result), style="bold")
    screen.print(about(found.result))
    if found.difference is not None:
        screen.print(f"{len(found.kernel):,} trades by the backtest, {len(found.desk):,} by the desk.")
        _show_difference(screen, found.difference)
    elif not found.kernel:
        cure = "." if found.result.warnings else ": take more days."
        screen.print(f"No trades on either side, so this shows nothing{cure}")
    else:
        net = rupees(found.result.net, signed=True)
        screen.print(f"{len(found.kernel):,} trades, all equal. Net {net} after charges on both sides.")
    for note in notes:
        bullet(screen, note)
    return FINE if found.same else FOUND


def _show_difference(screen: Console, difference: Difference) -> None:
    screen.print()
    screen.print(f"Trade {difference.number + 1} is the first that differs.", style="bold")
    ours, theirs = _cells(difference.kernel), _cells(difference.desk)
    rows = [
        (name, ours.get(name, "no such trade"), theirs.get(name, "no such trade"), _mark(ours, theirs, name))
        for name in (ours or theirs)
    ]
    table(screen, ("", "Backtest", "Desk", ""), rows, "<<<<")
    if difference.told:
        screen.print("What the desk said then:")
    for text in difference.told:
        bullet(screen, text)


def _mark(ours: dict[str, str], theirs: dict[str, str], name: str) -> str:
    return "" if ours.get(name) == theirs.get(name) else "≠"


def _cells(trade: Dealt | None) -> dict[str, str]:
    from trader.strategy.bars import moment

    if trade is None:
        return {}
    return {
        "Symbol": trade.symbol,
        "Side": "long" if trade.side > 0 else "short",
        "Quantity": f"{trade.quantity:,}",
        "Entry": f"{moment(trade.entry_at):%-d %b %Y %H:%M:%S}",
        "at": rupees(trade.entry_price),
        "Exit": f"{moment(trade.exit_at):%-d %b %Y %H:%M:%S}",
        "for": rupees(trade.exit_price),
        "Reason": trade.reason,
        "Charges": rupees(trade.charges),
    }
