"""``bot.py montecarlo``: what else might have come of a result that was kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from trader.service.settings import Settings
from trader.service.shell import FINE, STOPPED, bullet, console, disbelieved, shelf_of, table, told
from trader.service.shell_kept import kept, name_of
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from trader.backtest.montecarlo import Bands
    from trader.backtest.shelf import Shelf

USAGE: Final = (
    "bot.py montecarlo ID [runs=2000] [order=bootstrap|shuffle] [seed=1] | ID noise=20 [runs=100] "
    "[data=FOLDER]; last instead of an ID is the newest"
)


def run(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    from trader.backtest.luck import OWN, draw, luck_of, notes_of, reordered, stopped, with_noise
    from trader.backtest.shelf import Shelf

    shelf = Shelf(shelf_of(settings))
    word, luck, own = luck_of(words, USAGE, (*OWN, "data"))
    name = name_of(shelf, word)
    with told() as tell:
        if luck.noise is None:
            bands = reordered(shelf, name, luck)
        else:
            before = kept(settings, catalogue, shelf, name, own.get("data"))
            bands = with_noise(shelf, name, luck, before.wanted, catalogue, tell)
        picture = draw(shelf, name, luck, bands)
    _show(shelf, name, bands, notes_of(luck, bands))
    console().print(f"Picture: {picture}", soft_wrap=True)
    return STOPPED if stopped(luck, bands) else FINE


def _show(shelf: Shelf, name: str, bands: Bands, notes: Sequence[str]) -> None:
    from trader.backtest.luck import table_of

    screen = console()
    entry = shelf.entry(name)
    screen.print(f"Monte Carlo of {name}", style="bold")
    screen.print(entry.about)
    disbelieved(screen, shelf.load(name).warnings)
    screen.print(f"{bands.runs:,} runs, {bands.what}")
    screen.print()
    # A row for each band: rupees side by side would not fit eighty columns, and be folded.
    table(screen, ("Of 100 runs", "Drawdown", "Net"), table_of(bands), "<>>")
    screen.print(bands.sentence)
    for note in notes:
        bullet(screen, note)
