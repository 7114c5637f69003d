"""What else might have come of a kept result, for the shell and for a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

from trader.backtest.bench import Wanted, begin
from trader.backtest.montecarlo import LEVELS, Bands, fan, noisy, reorder
from trader.backtest.outcome import Outcome, Tell
from trader.backtest.report.words import money, percent
from trader.backtest.shelf import Shelf
from trader.backtest.verdict import disbelief
from trader.backtest.work import number, whole
from trader.domain.errors import InvalidInput
from trader.strategy.catalogue import Catalogue

RUNS, NOISY_RUNS = 2000, 100
_MOST_RUNS = 100_000
OWN: Final = ("runs", "order", "noise", "seed")


@dataclass(frozen=True, slots=True)
class Luck:
    """``noise``: a share of a candle's usual range, None where trades are drawn anew in an ``order``."""

    runs: int = RUNS
    order: str = "bootstrap"
    noise: float | None = None
    seed: int = 1

    @property
    def kind(self) -> str:
        return self.order if self.noise is None else "noise"


def luck_of(
    words: Sequence[str], usage: str, own: Sequence[str] = OWN
) -> tuple[str, Luck, Mapping[str, str]]:
    """The result's name as typed, what is asked about it, and the settings. Raises InvalidInput."""
    from trader.backtest.asked import OWN as KNOWN
    from trader.backtest.asked import only

    names = [word for word in words if "=" not in word]
    if len(names) != 1:
        lists = "/backtests" if usage.startswith("/") else "bot.py backtests"
        raise InvalidInput(f"Expected one result's name or number, as {lists} lists them. Usage: {usage}")
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and (name.casefold() not in KNOWN or not value):
            raise InvalidInput(f"{word!r} means nothing here. Usage: {usage}")
        if equals:
            given[name.casefold()] = value
    only(given, own, usage)
    if "noise" in given and "order" in given:
        raise InvalidInput("Expected order= for the trades or noise= for the candles, not both.")
    if "noise" not in given and "data" in given:
        raise InvalidInput("data= is for noise=: trades are drawn anew from the result alone.")
    noise = number("noise", given["noise"], 0.1, 500) / 100 if "noise" in given else None
    runs = whole("runs", given.get("runs", str(RUNS if noise is None else NOISY_RUNS)), 1, _MOST_RUNS)
    order = given.get("order", "bootstrap").casefold()
    if order not in ("bootstrap", "shuffle"):
        raise InvalidInput(f"Expected bootstrap or shuffle, was {order}")
    seed = whole("seed", given.get("seed", "1"), 0, 2**31)
    return names[0], Luck(runs, order, noise, seed), given


def reordered(shelf: Shelf, name: str, luck: Luck) -> Bands:
    order = cast(Literal["bootstrap", "shuffle"], luck.order)
    return reorder(shelf.load(name), order=order, runs=luck.runs, seed=luck.seed)


def with_noise(
    shelf: Shelf, name: str, luck: Luck, wanted: Wanted, catalogue: Catalogue, tell: Tell
) -> Bands:
    from trader.backtest.run import Backtester

    spec = shelf.load(name).spec
    bench = begin(wanted, catalogue, tell)
    world = bench.backtester.world
    ticks = {key: float(world.instruments.by_key[key].tick_size) for key in bench.data}
    tell(0, luck.runs, "testing on noisy candles")
    return noisy(
        lambda data: Backtester(world, data).run(spec), bench.data, ticks,
        runs=luck.runs, strength=luck.noise or 0.0, seed=luck.seed,
        progress=lambda done, total: tell(done, total, "testing on noisy candles"),
    )  # fmt: skip


def notes_of(luck: Luck, bands: Bands) -> list[str]:
    if luck.noise is not None:
        early = [f"Stopped after {bands.runs:,} of {luck.runs:,} runs."] if stopped(luck, bands) else []
        return [*early, "Only what lasts a single candle is moved; trends and gaps are as they were."]
    return [
        "Trades are drawn one by one: a portfolio that falls together falls further.",
        "Drawdowns are looked at when trades close; while they were open they were deeper.",
    ]


def stopped(luck: Luck, bands: Bands) -> bool:
    """Whether it ended before all its runs."""
    return bands.runs < luck.runs


def table_of(bands: Bands) -> list[tuple[str, str, str]]:
    """Of each band its name, its deepest drawdown and its end in rupees gained."""
    names = (*(f"{level}th" for level in LEVELS), "Backtest")
    falls = map(percent, (*bands.drawdown, bands.seen_drawdown))
    ends = (money(value - bands.capital) for value in (*bands.final, bands.seen_final))
    return list(zip(names, falls, ends, strict=True))


def draw(shelf: Shelf, name: str, luck: Luck, bands: Bands) -> str:
    """The fan of curves, beside the result; its path."""
    picture = shelf.path(name, f"fan-{luck.kind}.png")
    picture.write_bytes(fan(bands, worthless=bool(disbelief(shelf.load(name).warnings))))
    return str(picture)


def try_luck(shelf: Shelf, name: str, luck: Luck, catalogue: Catalogue, tell: Tell) -> Outcome:
    """As a worker does it. InvalidInput for a result whose candles are not those of one test."""
    entry = shelf.entry(name)
    tell(0, 0, "drawing trades anew")
    if luck.noise is None:
        bands = reordered(shelf, name, luck)
    else:
        candles = shelf.how(name).get("candles")
        if not candles:
            raise InvalidInput(f"{name} was put together from several tests: noise= cannot test it again.")
        bands = with_noise(shelf, name, luck, Wanted.read(candles), catalogue, tell)
    head = ("Of 100 runs", f"{'Drawdown':>8}{'Net':>13}")
    rows = [(band, f"{fall:>8}{end:>13}") for band, fall, end in table_of(bands)]
    return Outcome(
        id=name,
        title=f"Monte Carlo of {entry.title}",
        about=f"{entry.about}. {bands.runs:,} runs, {bands.what}",
        rows=[head, *rows],
        notes=[bands.sentence, *notes_of(luck, bands)],
        folder=str(shelf.path(name)),
        pictures=[draw(shelf, name, luck, bands)],
    )
