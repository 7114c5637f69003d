"""``bot.py montecarlo``: what else might have come of a result that was kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, cast

from trader.domain.errors import InvalidInput
from trader.service.settings import Settings
from trader.service.shell import FINE, bullet, console, disbelieved, shelf_of, table, told
from trader.service.shell_kept import kept, name_of
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from trader.backtest.montecarlo import Bands
    from trader.backtest.outcome import Tell
    from trader.backtest.shelf import Shelf

USAGE: Final = (
    "bot.py montecarlo ID [runs=2000] [order=bootstrap|shuffle] [seed=1] | ID noise=20 [runs=100] "
    "[data=FOLDER]; last instead of an ID is the newest"
)
RUNS, NOISY_RUNS = 2000, 100
_MOST_RUNS = 100_000
_OWN = ("runs", "order", "noise", "seed", "data")


def run(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    from trader.backtest.montecarlo import fan
    from trader.backtest.shelf import Shelf

    shelf = Shelf(shelf_of(settings))
    word, own = _typed(words)
    name = name_of(shelf, word)
    with told() as tell:
        if "noise" in own:
            bands, kind = _noisy(settings, catalogue, shelf, name, own, tell), "noise"
            notes = ["Only what lasts a single candle is moved; trends and gaps are as they were."]
        else:
            bands, kind = _reordered(shelf, name, own), own.get("order", "bootstrap")
            notes = [
                "Trades are drawn one by one: a portfolio that falls together falls further.",
                "Drawdowns are looked at when trades close; while they were open they were deeper.",
            ]
        picture = shelf.path(name, f"fan-{kind}.png")
        picture.write_bytes(fan(bands))
    _show(shelf, name, bands, notes)
    console().print(f"Picture: {picture}", soft_wrap=True)
    return FINE


def _typed(words: Sequence[str]) -> tuple[str, Mapping[str, str]]:
    from trader.backtest.asked import OWN, only

    names = [word for word in words if "=" not in word]
    if len(names) != 1:
        raise InvalidInput(f"Expected one result's name, as bot.py backtests lists them. Usage: {USAGE}")
    own: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and (name.casefold() not in OWN or not value):
            raise InvalidInput(f"{word!r} means nothing here. Usage: {USAGE}")
        if equals:
            own[name.casefold()] = value
    only(own, _OWN, USAGE)
    if "noise" in own and "order" in own:
        raise InvalidInput("Expected order= for the trades or noise= for the candles, not both.")
    return names[0], own


def _reordered(shelf: Shelf, name: str, own: Mapping[str, str]) -> Bands:
    from trader.backtest.montecarlo import reorder

    if "data" in own:
        raise InvalidInput("data= is for noise=: trades are drawn anew from the result alone.")
    runs, seed = _counts(own, RUNS)
    order = cast(Literal["bootstrap", "shuffle"], own.get("order", "bootstrap").casefold())
    return reorder(shelf.load(name), order=order, runs=runs, seed=seed)


def _noisy(
    settings: Settings, catalogue: Catalogue, shelf: Shelf, name: str, own: Mapping[str, str], tell: Tell
) -> Bands:
    from trader.backtest.bench import begin
    from trader.backtest.montecarlo import noisy
    from trader.backtest.run import Backtester
    from trader.backtest.work import number

    strength = number("noise", own["noise"].removesuffix("%"), 0.1, 500) / 100
    runs, seed = _counts(own, NOISY_RUNS)
    before = kept(settings, catalogue, shelf, name, own.get("data"))
    bench = begin(before.wanted, catalogue, tell)
    world = bench.backtester.world
    ticks = {key: float(world.instruments.by_key[key].tick_size) for key in bench.data}
    tell(0, runs, "testing on noisy candles")
    return noisy(
        lambda data: Backtester(world, data).run(before.result.spec), bench.data, ticks,
        runs=runs, strength=strength, seed=seed,
        progress=lambda done, total: tell(done, total, "testing on noisy candles"),
    )  # fmt: skip


def _counts(own: Mapping[str, str], usual: int) -> tuple[int, int]:
    from trader.backtest.work import number

    runs = number("runs", own.get("runs", str(usual)), 1, _MOST_RUNS)
    return int(runs), int(number("seed", own.get("seed", "1"), 0, 2**31))


def _show(shelf: Shelf, name: str, bands: Bands, notes: Sequence[str]) -> None:
    from trader.backtest.montecarlo import LEVELS
    from trader.backtest.report.words import money, percent

    screen = console()
    entry = shelf.entry(name)
    screen.print(f"Monte Carlo of {name}", style="bold")
    screen.print(entry.about)
    disbelieved(screen, shelf.load(name).warnings)
    screen.print(f"{bands.runs:,} runs, {bands.what}")
    screen.print()
    # A row for each band: rupees side by side would not fit eighty columns, and be folded.
    names = (*(f"{level}th" for level in LEVELS), "Backtest")
    falls = map(percent, (*bands.drawdown, bands.seen_drawdown))
    ends = (money(value - bands.capital) for value in (*bands.final, bands.seen_final))
    table(screen, ("Of 100 runs", "Drawdown", "Net"), list(zip(names, falls, ends, strict=True)), "<>>")
    screen.print(bands.sentence)
    for note in notes:
        bullet(screen, note)
