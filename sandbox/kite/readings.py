"""What the account's reads answer; frozen, they answer the past while orders go on (6 November 2023)."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

from sandbox.kite.account import Account
from sandbox.kite.desk import OrderDesk
from sandbox.kite.errors import Json, unknown_order


@dataclass(frozen=True, slots=True)
class Past:
    orders: list[Json]
    histories: dict[str, list[Json]]
    trades: list[Json]
    positions: Json
    holdings: list[Json]
    margins: Json


class Readings:
    def __init__(self, desk: OrderDesk, account: Account) -> None:
        self._desk, self._account = desk, account
        self._past: Past | None = None

    def freeze(self) -> None:
        orders = self._desk.book()
        histories = {row["order_id"]: self._desk.history(row["order_id"]) for row in orders}
        self._past = deepcopy(
            Past(orders, histories, self._desk.trades(), self.positions(), self.holdings(), self.margins())
        )

    def thaw(self) -> None:
        self._past = None

    def orders(self) -> list[Json]:
        return self._past.orders if self._past else self._desk.book()

    def history(self, order_id: str) -> list[Json]:
        if self._past is None:
            return self._desk.history(order_id)
        if order_id not in self._past.histories:
            raise unknown_order()
        return self._past.histories[order_id]

    def trades(self, order_id: str | None = None) -> list[Json]:
        if self._past is None:
            return self._desk.trades(order_id)
        return [row for row in self._past.trades if order_id in {None, row["order_id"]}]

    def positions(self) -> Json:
        return self._past.positions if self._past else self._account.position_rows()

    def holdings(self) -> list[Json]:
        return self._past.holdings if self._past else self._account.holding_rows(self._desk.market.now.date())

    def margins(self) -> Json:
        return self._past.margins if self._past else self._account.margins()
