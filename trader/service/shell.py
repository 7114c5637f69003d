"""Backtests and searches from the command line: the same work as chat's, in this process, with files."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from datetime import date, datetime, time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey, Segment
from trader.domain.times import IST
from trader.market.symbols import instrument_of
from trader.service.settings import Market, Settings
from trader.service.studies import BACKTEST, CANDLES, OPTIMIZE, SHELF
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from rich.console import Console

    from trader.backtest.asked import Asked
    from trader.backtest.candles import Source
    from trader.backtest.outcome import Outcome, Tell
    from trader.backtest.spec import Spec
    from trader.backtest.work import Hunt

Command = Callable[[Settings, Catalogue, Sequence[str]], int]

# What a command comes back with, beside 2 for what cannot be done.
FINE: Final = 0
FOUND: Final = 1  # what it looks for: a fault, a difference
STOPPED: Final = 130  # by Ctrl-C, as shells have it
_WIDE = 34
_TEXT, _FIGURE = 10, 14  # columns that text can be folded into, and that the longest figure has
_TOGETHER = "[workers=2] [storage=postgresql://user@host/name]"


def backtest(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    """``bot.py backtest ema_crossover RELIANCE 5m 90d fast=9 data=candles/5m``."""
    from trader.backtest.asked import RULES

    return _study(settings, catalogue, words, usage(BACKTEST), RULES, search=False)


def optimize(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    from trader.backtest.asked import OPTIMIZING

    return _study(settings, catalogue, words, f"{usage(OPTIMIZE)} {_TOGETHER}", OPTIMIZING, search=True)


def usage(chat: str) -> str:
    """Chat's, as the command line has it."""
    return f"bot.py {chat.removeprefix('/')} [data=FOLDER]"


def help_of(command: str) -> str:
    """How a command is typed, and what each setting of its own means."""
    from trader.backtest.asked import OPTIMIZING, OWN, RULES, SEARCHING

    names: Mapping[str, Sequence[str]] = {
        "backtest": RULES,
        "optimize": OPTIMIZING,
        "walkforward": (*RULES, *SEARCHING, "train", "test", "anchored"),
        "montecarlo": ("runs", "order", "seed", "noise", "data"),
        "portfolio": (*RULES, "weigh", "holdout", "cap"),
        "check": ("data", "seed"),
        "parity": RULES,
        "backtests": ("data",),
    }
    lines = [f"Usage: {_usage_of(command)}", ""]
    lines += [f"  {name + '=':<12}{OWN[name]}" for name in names[command]]
    return "\n".join(lines)


def _usage_of(command: str) -> str:
    if command in _MODULES:
        return str(import_module(f"trader.service.shell_{_MODULES[command]}").USAGE)
    return usage(BACKTEST) if command == "backtest" else f"{usage(OPTIMIZE)} {_TOGETHER}"


def asked_and_spec(
    settings: Settings,
    catalogue: Catalogue,
    words: Sequence[str],
    usage: str,
    own: Collection[str],
    *,
    ranged: bool = False,
) -> tuple[Asked, Spec]:
    """``own``: the settings of ``asked.OWN`` that mean something here. Raises InvalidInput, UnknownName with
    the sentence that helps."""
    from trader.backtest.asked import asked, only

    today = datetime.now(IST).date()
    wanted = asked(words, today, usage)
    only(wanted.own, own, usage)
    [wanted] = spanned(settings, [wanted], today)
    return wanted, spec_for(settings, catalogue, wanted, ranged=ranged)


def spanned(settings: Settings, asked: Sequence[Asked], today: date) -> list[Asked]:
    """What is tested together, on the same candles: a span is counted back from the newest of them."""
    from trader.backtest.asked import from_newest
    from trader.backtest.loading import newest

    source = source_of(settings, asked[0].own.get("data")) if asked[0].span else None
    if source is None or not source.path:
        return list(asked)
    keys = [instrument_of(symbol).key for one in asked for symbol in one.symbols]
    last = newest(source.path, keys, asked[0].interval)
    return [from_newest(one, last, today) for one in asked]


def spec_for(settings: Settings, catalogue: Catalogue, wanted: Asked, *, ranged: bool = False) -> Spec:
    """Under this desk's limits."""
    from trader.backtest.work import spec_of

    risk = {"risk": f"{settings.limits.risk_per_trade_pct.normalize():f}"}
    return spec_of(
        wanted, catalogue, _tradable, settings.limits,
        float(settings.paper.slippage_bps), risk, ranged=ranged,
    )  # fmt: skip


def _tradable(text: str) -> InstrumentKey:
    """Of an index every order would be denied: the result would say "no trades", and not why."""
    found = instrument_of(text)
    if found.segment is Segment.INDEX:
        raise InvalidInput(f"{found.symbol} is an index; it cannot be traded.")
    return found.key


def source_of(settings: Settings, data: str | None) -> Source:
    """``data=`` first, then what this desk's market has."""
    from trader.backtest.candles import Source
    from trader.feed.selection import absolute

    if data is not None:
        return Source(absolute(data))
    match settings.market:
        case Market.REPLAY:
            return Source(absolute(settings.replay_path))
        case Market.ZERODHA:
            cached = settings.data_dir / CANDLES
            if not cached.exists():
                raise InvalidInput("No candles were fetched yet: bot.py download fetches them.")
            return Source(absolute(str(cached)))
        case Market.SIMULATED:
            # To last midnight: the same line has the same candles all day.
            return Source(seed=settings.seed, until=datetime.combine(datetime.now(IST), time(), IST))


def shelf_of(settings: Settings) -> Path:
    return settings.data_dir.resolve() / SHELF


def typed(command: str, words: Sequence[str], wanted: Asked) -> str:
    """The line that asks the same on any day, for a shell, without passwords."""
    from trader.backtest.asked import again

    return shlex.join([command, *again(words, wanted)])


def _study(
    settings: Settings,
    catalogue: Catalogue,
    words: Sequence[str],
    usage: str,
    own: Collection[str],
    *,
    search: bool,
) -> int:
    from trader.backtest.work import do, hunt_of, work_for

    wanted, spec = asked_and_spec(settings, catalogue, words, usage, own, ranged=search)
    hunt: Hunt | None = hunt_of(wanted) if search else None
    if catalogue.folder is None:
        raise InvalidInput("These strategies come from no folder.")
    line = typed("optimize" if search else "backtest", words, wanted)
    source = source_of(settings, wanted.own.get("data")).written()
    work = work_for(spec, source, catalogue.folder, shelf_of(settings), hunt, line)
    with going_on(line, wanted) if search else nullcontext(), told() as tell:
        outcome = do(work, tell)
    show(outcome, line, wanted.counted)
    return STOPPED if outcome.stopped else FINE


@contextmanager
def going_on(line: str, wanted: Asked) -> Iterator[None]:
    """Of a search: whoever stops it is told how to go on, and no fault shows a database's password."""
    try:
        yield
    except KeyboardInterrupt:
        goes_on(console(error=True), "Stopped. What was tried is kept", line)
        raise
    except InvalidInput as e:
        raise InvalidInput(_without_secrets(str(e), wanted.own.get("storage", ""))) from None


def _without_secrets(text: str, storage: str) -> str:
    from trader.backtest.asked import without_password

    if not storage:
        return text
    text = text.replace(storage, without_password(storage))
    password = storage.partition("://")[2].rpartition("@")[0].partition(":")[2]
    return text.replace(password, "…") if password else text


@contextmanager
def told() -> Iterator[Tell]:
    """A progress bar on people's terminals; nothing in a pipe but what comes out in the end: what strategies
    print goes where errors go."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    screen = console(error=True)
    bar = Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
    with redirect_stdout(sys.stderr), bar as progress:
        task = progress.add_task("starting", total=None)

        def tell(done: int, total: int, text: str) -> None:
            progress.update(task, description=text, completed=done, total=total or None)

        yield tell


def console(*, error: bool = False) -> Console:
    """Prints what it is given: in ``slow=30:100:1`` there is no emoji."""
    from trader.service.printing import ShellConsole

    return ShellConsole(file=sys.stderr if error else sys.stdout, highlight=False, markup=False, emoji=False)


def show(outcome: Outcome, line: str = "", counted: str = "") -> None:
    """The table, what speaks against it, and where everything is. ``counted``: what its days are."""
    screen = console()
    screen.print(outcome.title, style="bold")
    screen.print(f"{outcome.about}, {counted}" if counted else outcome.about)
    warned = disbelieved(screen, outcome.notes)
    lines(screen, outcome.best)
    lines(screen, outcome.rows)
    for note in outcome.notes:
        if note not in warned:
            bullet(screen, note)
    screen.print(f"{outcome.bars:,} candles, {outcome.trades:,} trades, {outcome.seconds * 1000:,.1f} ms")
    screen.print(f"Report: {outcome.folder}/page.html", soft_wrap=True)
    if outcome.stopped:
        goes_on(screen, f"Stopped early: {outcome.stopped}", line)


def disbelieved(screen: Console, notes: Sequence[str]) -> Sequence[str]:
    """What is said before any figure, and which of ``notes`` that were."""
    from trader.backtest.verdict import disbelief

    said = disbelief(notes)
    for note in said:
        bullet(screen, note)
    if said:
        screen.print()
    return said


def goes_on(screen: Console, text: str, line: str) -> None:
    screen.print(f"{text}. This goes on from here:")
    screen.print(f"  python bot.py {line}", soft_wrap=True)
    if "storage=" in line:
        screen.print("(Its database's password is not shown; PGPASSWORD can give it.)")


def bullet(screen: Console, text: str) -> None:
    """Wrapped under itself."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_row("•", text)
    screen.print(grid)


def table(screen: Console, head: Sequence[str], rows: Sequence[Sequence[str]], ends: str) -> None:
    """``ends``: ``<`` or ``>`` for each column; a wide text goes on below. No figure is broken: where
    the screen is too narrow for the figures alone, the lines are longer than it."""
    from rich.table import Table

    from trader.service.printing import ShellConsole

    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", collapse_padding=True)
    needed = 0
    for name, end, cells in zip(head, ends, zip(head, *rows, strict=True), strict=True):
        longest = max(map(len, cells))
        figures = end == ">" and longest <= _FIGURE
        made.add_column(name, justify="left" if end == "<" else "right", overflow="fold", no_wrap=figures)
        needed += 2 + (longest if figures else min(longest, _TEXT))
    for row in rows:
        made.add_row(*row)
    if needed > screen.width:
        screen = ShellConsole(file=screen.file, width=needed, highlight=False, markup=False, emoji=False)
    screen.print(made)
    screen.print()


def lines(screen: Console, rows: Sequence[tuple[str, str]], width: int = _WIDE) -> None:
    for name, value in rows:
        screen.print(f"{name}{value:>{max(width - len(name), len(value) + 1)}}")
    if rows:
        screen.print()


def _late(module: str) -> Command:
    """Its module is loaded when it is asked for."""

    def run(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
        return int(import_module(f"trader.service.shell_{module}").run(settings, catalogue, words))

    return run


_MODULES = {
    "walkforward": "walk",
    "montecarlo": "luck",
    "portfolio": "portfolio",
    "check": "check",
    "parity": "parity",
    "backtests": "kept",
}
COMMANDS: dict[str, Command] = {
    "backtest": backtest,
    "optimize": optimize,
    **{command: _late(module) for command, module in _MODULES.items()},
}
