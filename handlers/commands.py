"""Every command there is, in the order help shows them."""

from __future__ import annotations

from handlers.calendar import calendar
from handlers.charges import charges
from handlers.closed import closed, reopened
from handlers.emergency import kill, pause, resume
from handlers.find import chain, find
from handlers.funds import funds
from handlers.help import help_commands
from handlers.house import House, mute_command, version_command
from handlers.market import quote, wait
from handlers.orders import orders, trades
from handlers.positions import pnl, positions
from handlers.registry import Registry
from handlers.risk import risk
from handlers.start import start_strategy
from handlers.status import status
from handlers.strategies import stop_strategy, strategies


def build_registry(house: House) -> Registry:
    """The registry of this house; there is one, made by the composition root."""

    def itself() -> Registry:
        return registry

    registry = Registry(
        {
            "Look": (status, positions, pnl, orders, trades, charges, funds, risk),
            "Strategies": (strategies, start_strategy, stop_strategy),
            "Brakes": (kill, pause, resume),
            "Market": (quote, find, chain, calendar, closed, reopened),
            "House": (*help_commands(itself), mute_command(house), version_command(house), wait),
        }
    )
    return registry
