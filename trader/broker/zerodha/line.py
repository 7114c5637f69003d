"""One client of the kiteconnect package and the threads that may use it, off the event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from trader.broker.zerodha.faults import NotSent, Overdue, check_answer
from trader.broker.zerodha.sdk import KiteClient, kite_client
from trader.domain.times import IST

log = logging.getLogger(__name__)
T = TypeVar("T")


class Line:
    """Orders have one of their own, so that bulk data cannot keep them waiting."""

    def __init__(
        self, name: str, api_key: str, root: str, *, threads: int, proxy: str = "", timeout: float = 7.0
    ) -> None:
        """``timeout``: seconds for the connection and for each read."""
        self._make: Callable[[], KiteClient] = lambda: _client(api_key, root, proxy, timeout)
        self._client: KiteClient | None = None
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"kite-{name}")

    def prepare(self) -> None:
        """Import the package and build the client now rather than with the first call."""
        self._prepared()

    async def call(self, token: str, work: Callable[[KiteClient], T], deadline: float) -> T:
        """The result of ``work`` in a thread, or what it raised.

        NotSent: no thread was free within ``deadline`` seconds. Overdue: it was sent and is not through. A
        caller that is cancelled does not end the call; how it ended is then only logged.
        """
        client = self._prepared()
        client.set_access_token(token)
        call = self._begin(work, client)
        answer = asyncio.wrap_future(call)
        try:
            async with asyncio.timeout(deadline):
                return await asyncio.shield(answer)
        except TimeoutError:
            if answer.done():
                return answer.result()
            answer.add_done_callback(_log_end)
            if call.cancel():
                raise NotSent("all lines were busy") from None
            raise Overdue(f"no whole answer within {deadline:.0f} s") from None
        except asyncio.CancelledError:
            if not call.cancel():
                answer.add_done_callback(_log_end)
            raise

    def _begin(self, work: Callable[[KiteClient], T], client: KiteClient) -> Future[T]:
        try:
            call = self._threads.submit(work, client)
        except RuntimeError as error:  # the pool is shut down
            raise NotSent("the desk is closing its lines") from error
        time.sleep(0)  # hand the interpreter to that thread at once: it waits 0.1 ms for it otherwise
        return call

    def _prepared(self) -> KiteClient:
        if self._client is None:
            self._client = self._make()
        return self._client

    async def close(self) -> None:
        """Calls that wait are dropped; those under way end in their own time."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.reqsession.close()


def _log_end(answer: asyncio.Future[Any]) -> None:
    if answer.cancelled():
        return
    error = answer.exception()
    outcome = "done" if error is None else f"failed ({type(error).__name__})"
    log.warning("A request to Zerodha that nobody waited for any more ended: %s", outcome)


def _client(api_key: str, root: str, proxy: str, timeout: float) -> KiteClient:
    client = kite_client(api_key, root, timeout=timeout, proxy=proxy)
    client.reqsession.hooks["response"].append(check_answer)
    # The package parses dates with dateutil, rows by the thousand, and holds the interpreter meanwhile; and
    # it makes dictionaries of 90,000 instruments that we read as columns.
    client._format_response = _as_it_came
    client._parse_instruments = _as_it_came
    client._format_historical = candles
    return client


def _as_it_came(data: T) -> T:
    return data


def candles(data: dict[str, Any]) -> list[dict[str, Any]]:
    """As the package shapes them."""
    return [_candle(row) for row in data["candles"]]


def _candle(row: list[Any]) -> dict[str, Any]:
    at = datetime.fromisoformat(row[0])
    shaped = dict(zip(("open", "high", "low", "close", "volume", "oi"), row[1:], strict=False))
    return {"date": at.astimezone(IST)} | shaped
