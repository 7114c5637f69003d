"""Zerodha's REST through our client: the official samples, the local Kite, limits, threads, proxies."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from sandbox.kite import Kind, KiteServer
from tests.broker.approvals import approved
from tests.broker.kite_house import ACME, KEY, MONDAY, HeldSession, KiteDesk, Wall, adapter, kite_desk
from tests.broker.kite_stream_world import until
from trader.broker.zerodha.budget import BudgetLimits, Budgets
from trader.broker.zerodha.credentials import KiteCredentials, KiteEndpoints
from trader.broker.zerodha.gate import Priority
from trader.broker.zerodha.line import Line
from trader.broker.zerodha.rest import KiteRest
from trader.broker.zerodha.stream.pacing import LoopTime
from trader.domain.errors import BrokerUnavailable, OrderNotSent, OrderRefused, OutcomeUnknown
from trader.domain.order import OrderId, OrderType
from trader.domain.times import IST

MOCKS = Path(__file__).resolve().parents[2].parent / "shared" / "kite-mocks"
TERMS = {"exchange": "NSE", "tradingsymbol": "ACME", "transaction_type": "BUY", "quantity": 1,
         "product": "MIS", "order_type": "LIMIT", "price": "90", "tag": "T1"}  # fmt: skip
GTT = {"trigger_type": "single", "tradingsymbol": "ACME", "exchange": "NSE", "trigger_values": [95.0],
       "last_price": 100.0, "orders": [{"transaction_type": "SELL", "quantity": 1, "order_type": "LIMIT",
                                        "product": "CNC", "price": 94.5}]}  # fmt: skip


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[KiteDesk]:
    async with kite_desk() as desk:
        yield desk


@asynccontextmanager
async def served(handler: Any) -> AsyncIterator[str]:
    """A server of the test's own: every request goes to ``handler``."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class AnySession:
    credentials = KiteCredentials("key", "secret")
    access_token = "token"  # noqa: S105 - of no server

    def lost(self, reason: str, *, token: str | None = None) -> None:
        raise AssertionError(reason)


@asynccontextmanager
async def client(url: str, **settings: Any) -> AsyncIterator[KiteRest]:
    time = LoopTime(lambda: MONDAY)
    endpoints = KiteEndpoints(api=url, login=url)
    rest = KiteRest(AnySession(), endpoints, Budgets(time, BudgetLimits(*[1000] * 10)), **settings)
    try:
        yield rest
    finally:
        await rest.close()


# -- the official samples --------------------------------------------------------------------------------

# sample, the call that asks for it, and what of its data the call gives
SAMPLES: list[tuple[str, str, list[Any], dict[str, Any], str | None]] = [
    ("order_response.json", "place", [], {"priority": Priority.ENTRY} | TERMS, "order_id"),
    ("autoslice_response.json", "place", [], {"priority": Priority.ENTRY} | TERMS, "order_id"),
    ("orders.json", "orders", [], {}, None),
    ("order_trades.json", "order_trades", ["200000000000000"], {}, None),
    ("trades.json", "trades", [], {}, None),
    ("positions.json", "positions", [], {}, None),
    ("holdings.json", "holdings", [], {}, None),
    ("margins.json", "margins", [], {}, None),
    ("profile.json", "profile", [], {}, None),
    ("quote.json", "quote", [["NSE:INFY"]], {}, None),
    ("ltp.json", "ltp", [["NSE:INFY"]], {}, None),
    ("gtt_get_orders.json", "gtts", [], {}, None),
    ("gtt_place_order.json", "place_gtt", [], GTT, "trigger_id"),
    ("gtt_modify_order.json", "modify_gtt", [1], GTT, "trigger_id"),
    ("gtt_delete_order.json", "delete_gtt", [1], {}, "trigger_id"),
    ("virtual_contract_note.json", "virtual_contract_note", [[{"order_id": "1"}]], {}, None),
]


def sample(name: str) -> bytes:
    path = MOCKS / name
    if not path.exists():
        pytest.skip(f"The official samples are not at {MOCKS}")
    return path.read_bytes()


@pytest.mark.parametrize(("name", "method", "args", "named", "field"), SAMPLES)
async def test_the_official_sample_comes_through_unchanged(
    name: str, method: str, args: list[Any], named: dict[str, Any], field: str | None
) -> None:
    body = sample(name)
    data = json.loads(body)["data"]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with served(answer) as url, client(url) as rest:
        assert await getattr(rest, method)(*args, **named) == (data if field is None else data[field])


@pytest.mark.parametrize(
    ("name", "method"), [("order_modify.json", "modify"), ("order_cancel.json", "cancel")]
)
async def test_the_official_answers_to_a_change_are_successes(name: str, method: str) -> None:
    body = sample(name)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": "application/json; charset=utf-8"})

    async with served(answer) as url, client(url) as rest:
        await getattr(rest, method)("151220000000000", priority=Priority.STOP)


@pytest.mark.parametrize("name", ["historical_minute.json", "historical_oi.json"])
async def test_the_official_candles_are_shaped_as_the_package_shapes_them(name: str) -> None:
    body = sample(name)
    rows = json.loads(body)["data"]["candles"]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with served(answer) as url, client(url) as rest:
        candles = await rest.historical(1, MONDAY, MONDAY, "minute", oi=name == "historical_oi.json")
    assert len(candles) == len(rows)
    names = ("open", "high", "low", "close", "volume", "oi")
    for candle, row in zip(candles, rows, strict=True):
        assert candle["date"] == datetime.strptime(row[0], "%Y-%m-%dT%H:%M:%S%z")
        assert candle["date"].tzinfo is IST
        assert [candle[name] for name in names if name in candle] == row[1:]


@pytest.mark.parametrize(
    ("name", "exchange"), [("instruments_all.csv", None), ("instruments_nse.csv", "NSE")]
)
async def test_the_official_dump_comes_as_raw_bytes(name: str, exchange: str | None) -> None:
    body, asked = sample(name), list[str]()

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=body, content_type="text/csv")

    async with served(answer) as url, client(url) as rest:
        assert await rest.instruments(exchange) == body
    assert asked == ["/instruments" if exchange is None else "/instruments/NSE"]


# -- the local Kite --------------------------------------------------------------------------------------


async def test_the_markets_calls_answer_what_the_market_shows(desk: KiteDesk) -> None:
    desk.server.market.price(KEY, 101.0)
    assert (await desk.rest.ltp([KEY]))[KEY]["last_price"] == 101
    quotes = await desk.rest.quote([KEY, "NSE:NOBODY"])
    assert list(quotes) == [KEY]
    assert quotes[KEY]["depth"]["buy"][0]["price"] == 100.95
    assert (await desk.rest.profile())["user_id"] == desk.server.client.user_id
    assert b"ACME WORKS" in await desk.rest.instruments("NSE")
    note = {"order_id": "1", "exchange": "NSE", "tradingsymbol": "ACME", "transaction_type": "BUY",
            "variety": "regular", "product": "CNC", "order_type": "MARKET", "quantity": 10,
            "average_price": 100.0}  # fmt: skip
    (charged,) = await desk.rest.virtual_contract_note([note])
    assert charged["charges"]["total"] > 0


@pytest.mark.parametrize(("method", "most"), [("quote", 500), ("ltp", 1000)])
async def test_many_instruments_are_asked_for_in_as_many_calls_as_kite_needs(
    desk: KiteDesk, method: str, most: int
) -> None:
    keys = [f"NSE:NOBODY{number}" for number in range(most)] + [KEY]
    assert list(await getattr(desk.rest, method)(keys)) == [KEY]
    assert len(desk.server.called(method)) == 2


async def test_history_is_asked_for_in_indian_time_whatever_zone_was_given(desk: KiteDesk) -> None:
    end = MONDAY - timedelta(days=3)
    start = (end - timedelta(minutes=30)).astimezone(UTC)
    candles = await desk.rest.historical(ACME.token, start, end, "minute")
    (call,) = desk.server.called("historical")
    assert (call.params["from"], call.params["to"]) == ("2026-11-20 09:30:00", "2026-11-20 10:00:00")
    assert candles[0]["date"] == start
    assert candles[0]["date"].tzinfo is IST
    with pytest.raises(BrokerUnavailable, match="interval exceeds max limit: 60 days"):
        await desk.rest.historical(ACME.token, end - timedelta(days=90), end, "minute")


async def test_triggers_are_placed_moved_and_deleted(desk: KiteDesk) -> None:
    desk.server.account.hold(KEY, 1, 90.0)
    trigger = await desk.rest.place_gtt(**GTT)
    await desk.rest.modify_gtt(trigger, **GTT | {"trigger_values": [96.0]})
    (row,) = await desk.rest.gtts()
    assert (row["id"], row["condition"]["trigger_values"]) == (trigger, [96.0])
    assert await desk.rest.delete_gtt(trigger) == trigger
    desk.server.faults.add(Kind.DROP, "gtt.place")
    with pytest.raises(OutcomeUnknown):
        await desk.rest.place_gtt(**GTT)
    with pytest.raises(OrderRefused):
        await desk.rest.delete_gtt(1)


async def test_orders_do_not_wait_behind_bulk_data(desk: KiteDesk) -> None:
    desk.server.faults.add(Kind.SLOW, "historical", times=None)
    desk.server.faults.add(Kind.SLOW, "margins", times=None)
    slow = [
        asyncio.create_task(desk.rest.historical(ACME.token, MONDAY, MONDAY, "minute")) for _ in range(9)
    ] + [asyncio.create_task(desk.rest.margins()) for _ in range(9)]
    await until(lambda: len(desk.server.called("historical")) == len(desk.server.called("margins")) == 3)
    await desk.rest.place(priority=Priority.KILL, **TERMS)
    assert not any(task.done() for task in slow)
    desk.server.heal()
    desk.server.faults.clear()
    await asyncio.gather(*slow)


async def test_a_warm_line_is_the_one_an_order_goes_out_on(desk: KiteDesk) -> None:
    await desk.rest.warm()
    desk.server.faults.add(Kind.RESET, "place")  # hits connections that have served before
    with pytest.raises(OutcomeUnknown):
        await desk.rest.place(priority=Priority.ENTRY, **TERMS)


async def test_an_order_that_found_no_free_line_was_not_sent() -> None:
    async with kite_desk(patience=0.3) as desk:
        desk.server.faults.add(Kind.SLOW, "place", times=None)
        sent = [
            asyncio.create_task(desk.rest.place(priority=Priority.KILL, **TERMS | {"tag": f"T{number}"}))
            for number in range(9)
        ]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 8 + [OrderNotSent]
        assert "all lines were busy" in str(outcomes[8])
        desk.server.heal()
        await until(lambda: len(desk.server.exchange.orders) == 8)


async def test_a_closed_client_sends_nothing(desk: KiteDesk) -> None:
    await desk.rest.close()
    with pytest.raises(OrderRefused, match="Nothing was sent"):
        await desk.rest.place(priority=Priority.KILL, **TERMS)
    assert not desk.server.called("place")


async def test_the_servers_own_limits_are_never_run_into() -> None:
    """A real clock on both sides: twelve orders at once, then as many cancellations beside the reads."""

    def now() -> datetime:
        return datetime.now(IST)

    async with KiteServer(
        lambda: now().replace(year=2026, month=11, day=23, hour=10), listings=[ACME]
    ) as server:
        server.market.price(KEY, 100.0)
        session = HeldSession(server)
        broker, _ = adapter(server, session, Wall(), BudgetLimits())
        order_ids = await asyncio.gather(
            *(broker.place(approved(KEY, order_type=OrderType.LIMIT, limit=90)) for _ in range(12)),
        )
        await asyncio.gather(
            broker.book(),
            broker.funds(),
            broker.holdings(),
            *(broker.cancel(OrderId(one)) for one in order_ids),
        )
        assert server.limits.refused == 0
        assert all(order.ended for order in server.exchange.orders.values())
        await broker.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"status": "success", "data": {"order_id": "1"}}),  # the package would take it for a success
        (200, {"status": "success", "data": {"order_id": None}}),
        (200, {"status": "success", "data": None}),
        (200, {"status": "success"}),
        (200, {"status": "error", "message": "Hm."}),
        (200, ["order_id"]),
        (200, None),
    ],
)
async def test_an_answer_in_a_shape_nobody_documents_is_unknown_and_no_success(
    status: int, body: Any
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    async with served(answer) as url, client(url) as rest:
        with pytest.raises(OutcomeUnknown):
            await rest.place(priority=Priority.ENTRY, **TERMS)


# -- the way out -----------------------------------------------------------------------------------------


async def test_everything_goes_through_the_proxy_that_has_the_registered_address() -> None:
    seen: list[str] = []

    async def proxy(request: web.Request) -> web.Response:
        seen.append(f"{request.method} {request.url}")
        if request.host == "address.test":
            return web.Response(text="203.0.113.7\n")
        return web.json_response({"status": "success", "data": {"order_id": "1"}})

    async with served(proxy) as url, client("http://127.0.0.1:9", proxy=url) as rest:
        assert await rest.place(priority=Priority.ENTRY, **TERMS) == "1"
        assert await rest.egress_ip("http://address.test/") == "203.0.113.7"
    assert seen == ["POST http://127.0.0.1:9/orders/regular", "GET http://address.test/"]


async def test_the_environments_proxy_is_used_and_a_netrc_never_replaces_the_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[tuple[str, str]] = []

    async def proxy(request: web.Request) -> web.Response:
        seen.append((request.host, request.headers["Authorization"]))
        return web.json_response({"status": "success", "data": {"order_id": "1"}})

    netrc = tmp_path / "netrc"
    netrc.write_text("machine kite.test login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with served(proxy) as url:
        monkeypatch.setenv("http_proxy", url)
        line = Line("test", "key", "http://kite.test", threads=1)
        try:
            assert (
                await line.call("token", lambda kite: kite.place_order(variety="regular", **TERMS), 5) == "1"
            )
        finally:
            await line.close()
    assert seen == [("kite.test", "token key:token")]


@pytest.mark.parametrize("told", ["", "2001:db8::1", "<html>", "203.0.113.700"])
async def test_only_an_ipv4_address_is_an_address(told: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=told)

    async with served(answer) as url, client(url) as rest:
        with pytest.raises(BrokerUnavailable, match="was to tell our IPv4 address"):
            await rest.egress_ip(url)


async def test_the_teller_of_our_address_learns_neither_key_nor_token() -> None:
    headers: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        headers.append(dict(request.headers))
        return web.Response(text="203.0.113.7")

    async with served(answer) as url, client(url) as rest:
        await rest.egress_ip(url)
    assert "Authorization" not in headers[0]


def test_a_paper_desk_that_imports_it_loads_no_package_for_it() -> None:
    code = (
        "import sys, trader.broker.zerodha.broker\n"
        "print(*sorted({'kiteconnect', 'twisted', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
