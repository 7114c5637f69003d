"""What the benchmarks of backtests share: the world, the settings, the machine's figures."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from trader.backtest.spec import Leg, Spec
from trader.backtest.world import World
from trader.desk.limits import RiskLimits
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.market import Interval
from trader.market.calendar import Calendar
from trader.market.charges import Charges
from trader.market.instruments import Instruments
from trader.market.margins import Margins
from trader.strategy.catalogue import Catalogue
from trader.strategy.options import parse_settings

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
FAST, SLOW = 9, 21
PAIRS = [(fast, slow) for fast in range(4, 14) for slow in range(20, 40, 2)]  # as bench/peers/common.py

# Every rule is asked every time, but for want of money nothing is refused. With the defaults the strategy
# loses its ten per cent within days, the desk halts, and there is little left to measure.
ROOMY = RiskLimits(
    capital=Decimal(100_000_000),
    max_daily_loss=Decimal(90_000_000),
    max_daily_loss_pct=Decimal(90),
    max_drawdown_pct=Decimal(99),
    max_open_positions=50,
    max_order_value=Decimal(2_000_000),
    max_trades_per_day=100_000,
    orders_per_second=500,
    orders_per_minute=20_000,
    orders_per_day=500_000,
    loss_streak=1_000_000,
)
ROOMY_TEXT = (
    "100 shares a trade; capital ₹10 crore, daily loss 90 %, drawdown 99 %, order\n"
    "value ₹20 lakh, 50 positions, no end of trades, orders or losses in a row; all else is the default"
)


def world(traded: Iterable[Instrument]) -> World:
    return World(
        Catalogue.discover(ROOT / "strategies"),
        Instruments(traded),
        Calendar.load(),
        Charges.load(),
        Margins.load(),
    )


def crossover(
    world: World,
    keys: Sequence[InstrumentKey],
    fast: int = FAST,
    slow: int = SLOW,
    options: Mapping[str, str] | None = None,
    *,
    limits: RiskLimits = ROOMY,
    charges: bool = True,
) -> Spec:
    """EMA crossover with a stop of 1 % and a target of 2 %, 100 shares a trade; ``options`` change that."""
    given = {"fast": str(fast), "slow": str(slow), "quantity": "100", "max_positions": "50"} | dict(
        options or {}
    )
    settings = parse_settings(world.catalogue.get("ema_crossover"), given).settings
    leg = Leg("ema_crossover", "ema_crossover", tuple(keys), Interval.M1, settings)
    return Spec((leg,), limits=limits, charges=charges)


@dataclass(frozen=True, slots=True)
class Told:
    """What a peer's run of one case said: seconds by the clock and by the processor (medians of ``runs``), by
    the processor those of the first run, trades."""

    seconds: float
    cpu: float
    runs: int
    first: float | None
    trades: int


def peer(name: str, data: Path, cases: Sequence[str], cache: Path | None = None) -> dict[str, Told]:
    """``name`` of bench/peers/run_<name>.py. ``cache``: an empty folder, to see what compiling costs it."""
    environment = dict(os.environ) | ({"NUMBA_CACHE_DIR": str(cache)} if cache else {})
    lines = in_peers([f"run_{name}.py", str(data), ",".join(cases)], environment)
    return {
        line["case"]: Told(line["seconds"], line["cpu"], line["runs"], line["first"], line["trades"])
        for line in lines
    }


def in_peers(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> list[Any]:
    """Run a program of bench/peers in the peers' own environment; the JSON lines it prints."""
    if not PEERS.exists():
        raise SystemExit(
            "The peers' environment .venv-peers is not there; make bench sets it up from its lock."
        )
    program = ROOT / "bench" / "peers" / arguments[0]
    return _lines([str(PEERS), str(program), *arguments[1:]], environment)


def child(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Any:
    """Run a module of ours in a fresh process, whose memory is its own; the last JSON line it prints."""
    return _lines([sys.executable, "-m", module, *arguments], environment)[-1]


def _lines(command: Sequence[str], environment: Mapping[str, str] | None) -> list[Any]:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def peak_rss() -> float:
    """Megabytes. Not getrusage's, which a program started by a larger one inherits."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def rss() -> float:
    """Megabytes now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def machine() -> str:
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load}"


def verdict(goal: str, met: bool) -> str:
    return f"  {'met   ' if met else 'MISSED'} {goal}"
