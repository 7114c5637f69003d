"""``bot.py backtests``: what was kept, side by side, and made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from trader.domain.errors import InvalidInput
from trader.service.settings import Settings
from trader.service.shell import FINE, FOUND, bullet, console, shelf_of, source_of, table, told
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from trader.backtest.bench import Wanted
    from trader.backtest.report.entry import Entry
    from trader.backtest.result import Result
    from trader.backtest.shelf import Shelf

USAGE: Final = "bot.py backtests [ID ID …] | all | again ID [data=FOLDER]"
NEWEST: Final = "last"  # instead of an id
_LISTED = 15
_SIDE_BY_SIDE = 4
_WIDTHS = (13, 9, 8, 9, 8)  # columns of the figures behind a result's name


def run(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    """FOUND when a result made again came out otherwise."""
    from trader.backtest.shelf import Shelf

    shelf = Shelf(shelf_of(settings))
    if words and words[0].casefold() == "again":
        return _again(settings, catalogue, shelf, words[1:])
    if not words or list(words) == ["all"]:
        return _listed(shelf, all=bool(words))
    if strange := [word for word in words if "=" in word]:
        raise InvalidInput(f"Expected results' names, was {strange[0]!r}. Usage: {USAGE}")
    if len(words) > _SIDE_BY_SIDE:
        raise InvalidInput(f"Expected at most {_SIDE_BY_SIDE} results side by side, were {len(words)}")
    return _compared(shelf, [name_of(shelf, word) for word in words])


def name_of(shelf: Shelf, word: str) -> str:
    """``last``, a result's name or what ``Shelf.find`` takes for it, or its folder as a shell completes it.
    UnknownName, InvalidInput."""
    if word.casefold() != NEWEST:
        return shelf.find(word.rstrip("/").rpartition("/")[2])
    entries = shelf.list().entries
    if not entries:
        raise InvalidInput(_none(shelf))
    return entries[0].id


# -- lists ------------------------------------------------------------------------------------------------


def _listed(shelf: Shelf, *, all: bool) -> int:
    screen = console()
    listing = shelf.list()
    if not listing.entries:
        screen.print(_none(shelf), soft_wrap=True)
    else:
        screen.print("Newest first: net, return, Sharpe, deepest drawdown, trades", style="bold")
    shown = listing.entries if all else listing.entries[:_LISTED]
    wide = max((len(entry.id) for entry in shown), default=0)
    for entry in shown:
        screen.print(entry.id.ljust(wide) + "".join(map(str.rjust, _figures(entry), _WIDTHS)), soft_wrap=True)
        screen.print(f"  {entry.about}", soft_wrap=True)
    if len(shown) < len(listing.entries):
        screen.print(f"{len(listing.entries) - len(shown)} older ones: bot.py backtests all")
    for text in listing.damaged:
        bullet(screen, text)
    return FINE


def _none(shelf: Shelf) -> str:
    """With the folder, which may be another than was meant."""
    return f"No result was kept yet in {shelf.folder}. bot.py backtest makes one."


def _figures(entry: Entry) -> tuple[str, ...]:
    from trader.backtest.report.words import money, percent, plain

    numbers: Mapping[str, float] = entry.numbers
    nothing = float("nan")
    return (
        money(numbers.get("net", nothing)),
        percent(numbers.get("return", nothing), signed=True),
        plain(numbers.get("sharpe", nothing)),
        percent(-numbers.get("max_drawdown", nothing)),
        plain(numbers.get("trades", nothing), 0),
    )


def _compared(shelf: Shelf, names: Sequence[str]) -> int:
    screen = console()
    compared = shelf.compare(names)
    head, *rows = compared.rows
    table(screen, head, rows, "<" + ">" * len(names))
    for note in compared.notes:
        bullet(screen, note)
    return FINE


# -- again ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """A result and where its candles were."""

    name: str
    result: Result
    wanted: Wanted


def kept(settings: Settings, catalogue: Catalogue, shelf: Shelf, name: str, data: str | None) -> Kept:
    """``data`` instead of the place it was made from. InvalidInput for what one test cannot make again."""
    from dataclasses import replace

    from trader.backtest.bench import Wanted

    result, how = shelf.load(name), shelf.how(name)
    if how.get("candles"):
        wanted = Wanted.read(how["candles"])
        if data is not None:
            wanted = replace(wanted, source=source_of(settings, data))
    elif how.get("line"):
        raise InvalidInput(
            f"{name} was put together from several tests; the whole of it is made again by: "
            f"python bot.py {how['line']}"
        )
    else:  # kept before results remembered their candles
        wanted = Wanted.of(result.spec, source_of(settings, data), catalogue)
    return Kept(name, result, wanted)


def _again(settings: Settings, catalogue: Catalogue, shelf: Shelf, words: Sequence[str]) -> int:
    from trader.backtest.bench import begin
    from trader.backtest.report.stored import differences
    from trader.backtest.summary import about, title

    name, data = _one(shelf, words)
    before = kept(settings, catalogue, shelf, name, data)
    with told() as tell:
        bench = begin(before.wanted, catalogue, tell)
        after = bench.backtester.run(before.result.spec)
    screen = console()
    screen.print(f"{title(after)}, as in {name}", style="bold")
    screen.print(about(after))
    found = differences(before.result, after)
    if not found:
        trades = f"{len(after.trades):,} trades, {len(after.at):,} moments"
        screen.print(f"The same to the bit: {trades}, by the same code on the same candles.")
        return FINE
    screen.print("It did not come out the same.")
    for text in found:
        bullet(screen, text)
    return FOUND


def _one(shelf: Shelf, words: Sequence[str]) -> tuple[str, str | None]:
    names = [word for word in words if "=" not in word]
    data = [word.partition("=")[2] for word in words if word.casefold().startswith("data=")]
    if len(names) != 1 or len(names) + len(data) != len(words) or len(data) > 1:
        raise InvalidInput(f"Expected one result's name. Usage: {USAGE}")
    return name_of(shelf, names[0]), data[0] if data else None
