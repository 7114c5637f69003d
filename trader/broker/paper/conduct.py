"""How kindly the paper exchange treats an order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b

from trader.domain.errors import InvalidInput
from trader.domain.order import OrderId


@dataclass(frozen=True, slots=True)
class Conduct:
    """The exchange's manners; the default is a perfect one.

    ``slippage_bps`` is lost by every market execution, in hundredths of a percent. ``latency`` is market
    time until a request reaches the exchange. ``liquidity`` is the largest share of a tick's traded units
    one execution may take (0.1: a tenth); None takes whatever is wanted. ``squareoff``: intraday positions
    still open at the broker's deadline are closed by the broker, for a fee.

    Chance is drawn from the seed and the order's own id, so one order's luck depends on no other order and
    survives a restart.
    """

    slippage_bps: float = 0.0
    latency: timedelta = timedelta(0)
    partial_fill_probability: float = 0.0
    reject_probability: float = 0.0
    seed: int = 0
    liquidity: float | None = None
    squareoff: bool = True

    def __post_init__(self) -> None:
        for name in ("partial_fill_probability", "reject_probability"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InvalidInput(f"Expected {name} between 0 and 1, was {getattr(self, name)}")
        if not 0.0 <= self.slippage_bps < 10_000:
            raise InvalidInput(f"Expected slippage_bps from 0 to 9999, was {self.slippage_bps}")
        if self.latency < timedelta(0):
            raise InvalidInput(f"Expected a latency of zero or more, was {self.latency}")
        if self.liquidity is not None and not 0.0 < self.liquidity <= 1.0:
            raise InvalidInput(f"Expected liquidity above 0 and at most 1, was {self.liquidity}")

    def rejects(self, order_id: OrderId) -> bool:
        return bool(self.reject_probability) and self._chance(order_id, "reject", 0) < self.reject_probability

    def portion(self, order_id: OrderId, execution: int, lots: int) -> int:
        """How many of ``lots`` the order's n-th execution takes, at least one."""
        if lots < 2 or not self.partial_fill_probability:
            return lots
        if self._chance(order_id, "partial", execution) >= self.partial_fill_probability:
            return lots
        return 1 + int(self._chance(order_id, "part", execution) * (lots - 1))

    def room(self, traded: int | None, lot: int) -> int | None:
        """Units one execution may take of ``traded``, in whole lots and at least one; None is no bound."""
        if self.liquidity is None or traded is None:
            return None
        return max(int(traded * self.liquidity) // lot, 1) * lot

    def _chance(self, order_id: OrderId, what: str, n: int) -> float:
        """Uniform in [0, 1)."""
        digest = blake2b(f"{self.seed}:{order_id}:{what}:{n}".encode(), digest_size=7).digest()
        return int.from_bytes(digest) / 2**56
