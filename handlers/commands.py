"""Every command there is, in the order help shows them."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.account import login, logout
from handlers.arming import live, paper
from handlers.calendar import calendar
from handlers.charges import charges
from handlers.closed import closed, reopened
from handlers.console import quit_
from handlers.emergency import kill, pause, resume
from handlers.find import chain, find
from handlers.funds import funds
from handlers.help import help_commands
from handlers.holdings import holdings
from handlers.house import House, mute_command, version_command
from handlers.locks import locks
from handlers.market import quote, wait
from handlers.orders import orders, trades
from handlers.positions import pnl, positions
from handlers.registry import Command, Registry
from handlers.risk import risk
from handlers.start import start_strategy
from handlers.status import status
from handlers.strategies import stop_strategy, strategies
from handlers.studies import backtest, backtests, cancel_job, jobs, montecarlo, optimize, walkforward
from handlers.unknown import not_there
from handlers.verdicts import adopt, flatten, ignore, reconcile


def build_registry(house: House, more: Sequence[Command] = ()) -> Registry:
    """The registry of this house; there is one, made by the composition root. ``more`` are a rehearsal's."""

    def itself() -> Registry:
        return registry

    registry = Registry(
        {
            "Look": (status, positions, pnl, orders, trades, charges, funds, holdings, risk),
            "Strategies": (strategies, start_strategy, stop_strategy),
            "Tests": (backtest, optimize, walkforward, montecarlo, backtests, jobs, cancel_job),
            "Brakes": (kill, pause, resume),
            "Account": (login, logout, live, paper),
            "The broker's book": (reconcile, locks, adopt, ignore, flatten, not_there),
            "Market": (quote, find, chain, calendar, closed, reopened),
            "House": (*help_commands(itself), mute_command(house), version_command(house), wait, quit_),
            **({"Rehearsal": more} if more else {}),
        }
    )
    return registry
