"""What can be traded here, and the morning's dump of it (kite.md 7)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, time

COLUMNS = (
    "instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry", "strike",
    "tick_size", "lot_size", "instrument_type", "segment", "exchange",
)  # fmt: skip
INDEX = 9  # the low byte of an index's token


@dataclass(frozen=True, slots=True)
class Listing:
    """``closes_in_auction``: a stock with futures, whose continuous trading ends at 15:15 (india.md 6)."""

    token: int
    exchange: str
    symbol: str
    name: str
    previous_close: float
    tick_size: float = 0.05
    lot_size: int = 1
    instrument_type: str = "EQ"
    segment: str = ""
    expiry: date | None = None
    strike: float = 0
    freeze_quantity: int | None = None
    closes_in_auction: bool = False
    isin: str = ""
    band: float = 0.10  # circuit limits, as a share of the previous close; of the strike for an option

    @property
    def key(self) -> str:
        return f"{self.exchange}:{self.symbol}"

    @property
    def is_index(self) -> bool:
        return self.token & 0xFF == INDEX

    @property
    def is_derivative(self) -> bool:
        return self.expiry is not None

    @property
    def is_option(self) -> bool:
        return self.instrument_type in {"CE", "PE"}

    @property
    def continuous_until(self) -> time:
        if self.is_derivative:
            return time(15, 40)
        return time(15, 15) if self.closes_in_auction else time(15, 30)

    @property
    def orders_until(self) -> time:
        """DAY orders are cancelled then; those of the closing auction are not matched here."""
        return time(15, 35) if self.closes_in_auction else self.continuous_until

    @property
    def squared_off_at(self) -> time:
        """Zerodha's deadlines for MIS, as of September 2026 (india.md 5)."""
        if self.is_derivative:
            return time(15, 26)
        return time(15, 12) if self.closes_in_auction else time(15, 25)

    def csv_row(self) -> tuple[object, ...]:
        return (
            self.token, self.token >> 8, self.symbol, self.name, 0, self.expiry or "", f"{self.strike:g}",
            f"{self.tick_size:g}", self.lot_size, self.instrument_type, self.segment or self.exchange,
            self.exchange,
        )  # fmt: skip


class Listings:
    def __init__(self, listings: Iterable[Listing]) -> None:
        self._by_key: dict[str, Listing] = {}
        self._by_token: dict[int, Listing] = {}
        for listing in listings:
            self.add(listing)

    def add(self, listing: Listing) -> None:
        self._by_key[listing.key] = self._by_token[listing.token] = listing

    def __iter__(self) -> Iterator[Listing]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def find(self, key: str | int) -> Listing | None:
        """By "NSE:INFY", by token, or by a token written out, as /quote takes them."""
        if isinstance(key, int):
            return self._by_token.get(key)
        return self._by_key.get(key) or (self._by_token.get(int(key)) if key.isdigit() else None)

    def __getitem__(self, key: str | int) -> Listing:
        found = self.find(key)
        if found is None:
            raise LookupError(f"No instrument {key!r} in the sandbox; there are {', '.join(self._by_key)}")
        return found

    def dump(self, exchange: str | None = None) -> bytes:
        """The CSV of one exchange or of all. A segment's name, like INDICES, is no exchange."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(one.csv_row() for one in self if exchange in {None, one.exchange})
        return text.getvalue().encode()
