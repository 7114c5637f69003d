"""An account of cardboard: a login that takes one token, a preflight of set lines. And a lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from trader.desk.events import CheckLine
from trader.desk.view import LockView
from trader.domain.errors import InvalidInput, LoginNeeded
from trader.domain.instrument import InstrumentKey
from trader.domain.order import Product
from trader.domain.times import IST

LINK = "https://kite.example/connect/login?api_key=K&v=3"
TOKEN = "hTnH5cq0Gb7yVxpGq1YVdKzQ3a9wLm2R"  # noqa: S105 - nobody's, in the shape of Zerodha's
LANDED = f"https://127.0.0.1/?action=login&type=login&status=success&request_token={TOKEN}"
GREEN = (
    CheckLine("Session", True, "AB1234 until Tue 06:00"),
    CheckLine("Instruments", True, "98,213 of 23 Nov"),
    CheckLine("Stream", True, "connected"),
    CheckLine("Address", True, "203.0.113.7"),
)
RED = (
    *GREEN[:3],
    CheckLine("Address", False, "203.0.113.9, registered is 203.0.113.7"),
)


@dataclass
class FakeAccount:
    """``automatic``: it can log in by itself. ``fault``: what every call raises."""

    automatic: bool = False
    lines: tuple[CheckLine, ...] = GREEN
    fault: Exception | None = None
    pasted: list[str] = field(default_factory=list)
    logouts: int = 0

    def link(self) -> str:
        return LINK

    async def login(self, pasted: str = "") -> str:
        self.pasted.append(pasted)
        if self.fault is not None:
            raise self.fault
        if not pasted and not self.automatic:
            raise InvalidInput(f"Open this, log in, and paste the address you land on: {LINK}")
        if pasted and TOKEN not in pasted:
            raise LoginNeeded("The token is used up or too old: log in at the link again.")
        return "Logged in as AB1234 until Tue 06:00."

    async def logout(self) -> str:
        if self.fault is not None:
            raise self.fault
        self.logouts += 1
        return "Logged out."

    def session_line(self) -> CheckLine:
        return self.lines[0]

    async def preflight(self) -> tuple[CheckLine, ...]:
        if self.fault is not None:
            raise self.fault
        return self.lines


def a_lock(
    symbol: str = "RELIANCE", quantity: int = 100, product: Product = Product.MIS, *, key: str = ""
) -> LockView:
    return LockView(
        InstrumentKey(key or f"NSE:{symbol}"), product, quantity, "unexplained position",
        f"unexplained position, {quantity:+d} {product} from elsewhere.",
        datetime(2026, 11, 23, 10, 14, 58, tzinfo=IST),
    )  # fmt: skip
