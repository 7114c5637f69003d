"""From paper to real money and back, on the same records (faults.md 67)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from trader.domain.counting import counted
from trader.domain.errors import SettingsError
from trader.domain.instrument import symbols_text
from trader.domain.records import LedgerState
from trader.domain.times import date_text, ist
from trader.service.settings import Trading


def switched(ledger: LedgerState, trading: Trading, today: date) -> LedgerState:
    """The ledger as a desk that now trades so may go on from it: without what the other one earned, for that
    is not this account's equity. SettingsError while it has positions, or orders of ``today``: a live desk
    would close what is held on paper, with real money, and a paper one would forget what is real."""
    last = ledger.last_session
    if last is None or last.trading == trading:
        return ledger
    other, instead = str(last.trading).upper(), "or give this one another DATA_DIR (and DATABASE_URL)"
    if held := sorted({position.key for position in ledger.positions if position.quantity}):
        raise SettingsError([
            f"TRADING: the records are {other}'s and hold {counted(len(held), 'position')}"
            f" ({symbols_text(held)}): with TRADING={last.trading} close them first, {instead}"
        ])  # fmt: skip
    traded = [order for order in ledger.orders if order.working or order.filled_quantity]
    days = [ist(order.request.at).date() for order in traded]
    if days and max(days) >= today:
        raise SettingsError([
            f"TRADING: the records have {other} orders of {date_text(max(days))}, which another account"
            f" does not know: change it on a later day, {instead}"
        ])  # fmt: skip
    return replace(ledger, counters=None)
