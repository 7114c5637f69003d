"""Zerodha's REST: each call on its own line of threads, in its budget, its faults in our words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Protocol, TypeVar

from trader.broker.zerodha.budget import Budgets
from trader.broker.zerodha.credentials import KiteCredentials, KiteEndpoints
from trader.broker.zerodha.faults import broke_off, order_fault, plain, read_fault
from trader.broker.zerodha.gate import Priority
from trader.broker.zerodha.line import Line
from trader.broker.zerodha.sdk import KiteClient, kite_client
from trader.domain.errors import BrokerError, BrokerUnavailable, LoginNeeded, OrderNotSent
from trader.domain.times import ist

T = TypeVar("T")
Row = dict[str, Any]

PATIENCE, LONG_PATIENCE = 15.0, 60.0  # seconds for a whole answer; the instruments are 8 MB
ORDER_THREADS, READ_THREADS = 8, 3
MOST_QUOTES, MOST_LAST_PRICES = 500, 1_000  # instruments of one call (kite.md 8)
ADDRESS_TELLER = "https://checkip.amazonaws.com"


class Session(Protocol):
    """What REST needs of a KiteSession."""

    @property
    def credentials(self) -> KiteCredentials: ...

    @property
    def access_token(self) -> str:
        """Raises LoginNeeded."""
        ...

    def lost(self, reason: str, *, token: str | None = None) -> None: ...


class KiteRest:
    """Rows come as Kite sends them, times as text; ``mapping`` reads them. Calls that change something raise
    OrderRefused or OutcomeUnknown, the others BrokerUnavailable or LoginNeeded."""

    def __init__(
        self,
        session: Session,
        endpoints: KiteEndpoints,
        budgets: Budgets,
        *,
        proxy: str = "",
        timeout: float = 7.0,
        patience: float = PATIENCE,
    ) -> None:
        """``proxy``: a URL, for an address that is registered with Zerodha. ``timeout``: seconds for the
        connection and for each read; ``patience``: for a whole answer."""
        self._session = session
        self._budgets = budgets
        self._patience = patience
        self._proxy = proxy
        self._root = endpoints.api

        def line(name: str, threads: int) -> Line:
            key = session.credentials.api_key
            return Line(name, key, endpoints.api, threads=threads, proxy=proxy, timeout=timeout)

        self._orders, self._books = line("orders", ORDER_THREADS), line("books", READ_THREADS)
        self._bulk = line("bulk", READ_THREADS)

    @property
    def budgets(self) -> Budgets:
        return self._budgets

    def prepare(self) -> None:
        """Load what the first call would have to: half a second that no order should wait."""
        for line in (self._orders, self._books, self._bulk):
            line.prepare()

    async def close(self) -> None:
        self._budgets.close()
        for line in (self._orders, self._books, self._bulk):
            await line.close()

    # -- orders -----------------------------------------------------------------------------------------

    async def place(
        self, *, priority: Priority, why_not: Callable[[], str] | None = None, **terms: object
    ) -> str:
        """``terms``: those of Kite's ``place_order``, all but the variety. The order's id. ``why_not`` is
        asked last, in another thread: why nothing is to be sent any more, or ``""``."""
        sent = {name: value for name, value in terms.items() if value is not None}

        def order_id(kite: KiteClient) -> str:
            if why_not is not None and (why := why_not()):
                raise OrderNotSent(f"{why} Nothing was sent.")
            answer = kite.place_order(variety="regular", **sent)
            if not isinstance(answer, str) or not answer:
                raise ValueError("no order id")
            return answer

        return await self._order(priority, order_id, placing=True)

    async def modify(self, order_id: str, *, priority: Priority, **terms: object) -> None:
        sent = {name: value for name, value in terms.items() if value is not None}
        await self._order(
            priority, lambda kite: kite.modify_order(variety="regular", order_id=order_id, **sent)
        )

    async def cancel(self, order_id: str, *, priority: Priority) -> None:
        await self._order(priority, lambda kite: kite.cancel_order(variety="regular", order_id=order_id))

    # -- the account ------------------------------------------------------------------------------------

    async def orders(self) -> list[Row]:
        return await self._account("the orders", list, lambda kite: kite.orders())

    async def order_trades(self, order_id: str) -> list[Row]:
        return await self._account(
            "an order's trades", list, lambda kite: kite.order_trades(order_id=order_id)
        )

    async def trades(self) -> list[Row]:
        return await self._account("the trades", list, lambda kite: kite.trades())

    async def positions(self) -> Row:
        return await self._account("the positions", dict, lambda kite: kite.positions())

    async def holdings(self) -> list[Row]:
        return await self._account("the holdings", list, lambda kite: kite.holdings())

    async def margins(self) -> Row:
        return await self._account("the margins", dict, lambda kite: kite.margins())

    async def profile(self) -> Row:
        return await self._account("the profile", dict, lambda kite: kite.profile())

    async def warm(self) -> None:
        """Keep a connection open where orders go: a new one costs several ways to Mumbai and back, and one
        that Zerodha closed in silence leaves an order unknown. Every half minute will do."""
        await self._read(
            self._orders, self._budgets.other, "the profile", dict,
            lambda kite: kite.profile(), patience=self._patience,
        )  # fmt: skip

    async def virtual_contract_note(self, orders: Sequence[Mapping[str, object]]) -> list[Row]:
        """The charges of these orders as Zerodha counts them (kite.md 9)."""
        asked = [dict(order) for order in orders]
        return await self._account(
            "the charges", list, lambda kite: kite.get_virtual_contract_note(params=asked)
        )

    # -- the market -------------------------------------------------------------------------------------

    async def instruments(self, exchange: str | None = None) -> bytes:
        """The day's dump, CSV. Zerodha gives it to everybody, so nobody need have logged in."""
        return await self._read(
            self._bulk, self._budgets.other, "the instruments", bytes,
            lambda kite: kite.instruments(exchange=exchange), patience=LONG_PATIENCE, for_all=True,
        )  # fmt: skip

    async def quote(self, keys: Iterable[str]) -> dict[str, Row]:
        """By ``NSE:INFY``; what Kite does not know is missing."""
        return await self._quotes("the quotes", list(keys), MOST_QUOTES, "quote")

    async def ltp(self, keys: Iterable[str]) -> dict[str, Row]:
        return await self._quotes("the last prices", list(keys), MOST_LAST_PRICES, "ltp")

    async def historical(
        self, token: int, start: datetime, end: datetime, interval: str, *, oi: bool = False
    ) -> list[Row]:
        """Candles as the kiteconnect package shapes them, ``date`` aware; at most as many days as kite.md 8
        allows, both ends included."""
        since, until = (ist(at).replace(tzinfo=None) for at in (start, end))
        return await self._read(
            self._bulk, self._budgets.history, "the candles", list,
            lambda kite: kite.historical_data(
                instrument_token=token, from_date=since, to_date=until, interval=interval, oi=oi
            ), patience=LONG_PATIENCE,
        )  # fmt: skip

    # -- triggers that outlive the day ------------------------------------------------------------------

    async def gtts(self) -> list[Row]:
        return await self._account("the triggers", list, lambda kite: kite.get_gtts())

    async def place_gtt(self, **terms: object) -> int:
        """``terms``: those of Kite's ``place_gtt``. The trigger's id."""
        return await self._trigger(lambda kite: kite.place_gtt(**terms))

    async def modify_gtt(self, trigger_id: int, **terms: object) -> int:
        return await self._trigger(lambda kite: kite.modify_gtt(trigger_id=trigger_id, **terms))

    async def delete_gtt(self, trigger_id: int) -> int:
        return await self._trigger(lambda kite: kite.delete_gtt(trigger_id=trigger_id))

    # -- preflight --------------------------------------------------------------------------------------

    async def egress_ip(self, teller: str = ADDRESS_TELLER) -> str:
        """The IPv4 address Zerodha sees orders come from. BrokerUnavailable: nobody tells."""
        from ipaddress import AddressValueError, IPv4Address

        def ask(_: KiteClient) -> str:
            client = kite_client("", teller, proxy=self._proxy)  # no key and no token goes there
            try:
                got = client.reqsession.get(teller, timeout=7, proxies=client.proxies)
                return str(IPv4Address(got.text.strip()))
            finally:
                client.reqsession.close()

        try:
            return await self._bulk.call("", ask, self._patience)
        except AddressValueError as error:
            raise BrokerUnavailable(f"{teller} was to tell our IPv4 address, but sent {error}") from None
        except Exception as error:
            raise BrokerUnavailable(f"{teller} did not tell our address: {plain(error)}") from None

    # -- within -----------------------------------------------------------------------------------------

    async def _order(
        self, priority: Priority, work: Callable[[KiteClient], T], *, placing: bool = False
    ) -> T:
        return await self._change(lambda: self._budgets.order(priority, placing=placing), work)

    async def _trigger(self, work: Callable[[KiteClient], Row]) -> int:
        def id_of(kite: KiteClient) -> int:
            return int(work(kite)["trigger_id"])

        return await self._change(lambda: self._budgets.other(Priority.STOP), id_of)

    async def _change(
        self, budget: Callable[[], AbstractAsyncContextManager[None]], work: Callable[[KiteClient], T]
    ) -> T:
        """One attempt, never repeated."""
        used = ""
        try:
            async with budget():
                used = self._session.access_token
                return await self._orders.call(used, work, self._patience)
        except Exception as error:
            raise self._told(order_fault(error), used) from None

    async def _account(self, what: str, kind: type[T], work: Callable[[KiteClient], T]) -> T:
        return await self._read(
            self._books,
            lambda: self._budgets.other(Priority.ENTRY),
            what,
            kind,
            work,
            patience=self._patience,
        )

    async def _quotes(self, what: str, keys: list[str], most: int, method: str) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for start in range(0, len(keys), most):
            work = partial(_asked, method, keys[start : start + most])
            found |= await self._read(
                self._bulk, self._budgets.quote, what, dict,
                work, patience=self._patience,
            )  # fmt: skip
        return found

    async def _read(
        self,
        line: Line,
        budget: Callable[[], AbstractAsyncContextManager[None]],
        what: str,
        kind: type[T],
        work: Callable[[KiteClient], T],
        *,
        patience: float,
        for_all: bool = False,
    ) -> T:
        """``for_all``: answered without a login too."""

        async def once() -> T:
            async with budget():
                return await line.call(token(), work, patience)

        def token() -> str:
            try:
                return token_of()
            except LoginNeeded:
                if for_all:
                    return ""
                raise

        async with self._faults(lambda error: read_fault(error, what)) as token_of:
            try:
                got = await once()
            except Exception as error:
                if not broke_off(error):
                    raise
                got = await once()  # a connection kept too long; a read may be asked twice
        if not isinstance(got, kind):
            raise BrokerUnavailable(f"Zerodha did not tell {what}: it sent a {type(got).__name__}")
        return got

    @asynccontextmanager
    async def _faults(self, fault_of: Callable[[Exception], BrokerError]) -> AsyncIterator[Callable[[], str]]:
        """Gives the way to the token of the call; a refusal of that token ends the session."""
        used = ""

        def token() -> str:
            nonlocal used
            used = self._session.access_token
            return used

        try:
            yield token
        except Exception as error:
            raise self._told(fault_of(error), used) from None

    def _told(self, fault: BrokerError, used: str) -> BrokerError:
        """Raise it from None: what lies behind it may hold addresses and headers."""
        if isinstance(fault, LoginNeeded) and used:
            self._session.lost(str(fault), token=used)
        return fault


def _asked(method: str, keys: list[str], kite: KiteClient) -> dict[str, Row]:
    answer: dict[str, Row] = getattr(kite, method)(keys)
    return answer


def price_text(price: Decimal | None) -> str | None:
    """Never in powers of ten."""
    return None if price is None else f"{price:f}"
