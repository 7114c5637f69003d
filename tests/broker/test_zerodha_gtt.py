"""Stops that outlive the day, at the local Kite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
import pytest_asyncio

from sandbox.kite import Kind
from tests.broker.approvals import approved, approved_gtt
from tests.broker.kite_house import KEY, MONDAY, KiteDesk, kite_desk
from tests.broker.kite_stream_world import until
from trader.broker.port import Overnight
from trader.broker.zerodha import mapping
from trader.domain.errors import BrokerUnavailable, LoginNeeded, OrderRefused, OutcomeUnknown
from trader.domain.gtt import GttId, GttRow, GttStatus
from trader.domain.order import BrokerStatus, Gtt, OrderType, OrderUpdate, Product, Side

STOP = Gtt(KEY, Side.SELL, 10, Product.CNC, Decimal("95.00"), Decimal("92.15"))


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[KiteDesk]:
    async with kite_desk() as desk:
        yield desk


async def holding(desk: KiteDesk, quantity: int = 10) -> None:
    await desk.broker.place(approved(KEY, quantity=quantity, product=Product.CNC))
    desk.wait(1)


async def listed(desk: KiteDesk) -> Sequence[GttRow]:
    return await desk.broker.gtts()


def test_zerodha_keeps_stops_over_the_night(desk: KiteDesk) -> None:
    assert isinstance(desk.broker, Overnight)


async def test_it_stands_with_the_terms_it_was_given_until_it_is_deleted(desk: KiteDesk) -> None:
    gtt_id = await desk.broker.place_gtt(approved_gtt(STOP))
    assert await listed(desk) == [GttRow(gtt_id, STOP, GttStatus.ACTIVE, MONDAY)]
    await desk.broker.delete_gtt(gtt_id)
    assert [row.status for row in await listed(desk)] == [GttStatus.ENDED]
    with pytest.raises(OrderRefused, match="deleted"):
        await desk.broker.delete_gtt(gtt_id)


async def test_only_what_the_gate_approved_is_sent(desk: KiteDesk) -> None:
    with pytest.raises(TypeError, match="was Gtt"):
        await desk.broker.place_gtt(STOP)  # type: ignore[arg-type]  # that it is refused is the test
    assert not desk.server.calls


async def test_the_last_price_is_the_brokers_and_not_what_the_desk_remembers(desk: KiteDesk) -> None:
    await desk.broker.place_gtt(approved_gtt(replace(STOP, last_price=Decimal(140))))
    (call,) = desk.server.called("gtt.place")
    assert '"last_price": 100.0' in call.params["condition"]


@pytest.mark.parametrize(("side", "last"), [(Side.SELL, 94.0), (Side.SELL, 95.0), (Side.BUY, 96.0)])
async def test_one_the_market_has_passed_would_wait_for_the_opposite_and_is_not_sent(
    desk: KiteDesk, side: Side, last: float
) -> None:
    desk.server.market.price(KEY, last)
    with pytest.raises(OrderRefused, match="past the trigger"):
        await desk.broker.place_gtt(approved_gtt(replace(STOP, side=side)))
    assert not desk.server.called("gtt.place")


async def test_without_the_brokers_price_the_desks_own_will_do(desk: KiteDesk) -> None:
    desk.server.faults.add(Kind.DOWN, "ltp", times=None)
    with pytest.raises(OrderRefused, match="No last price"):
        await desk.broker.place_gtt(approved_gtt(STOP))
    await desk.broker.place_gtt(approved_gtt(replace(STOP, last_price=Decimal(99))))
    assert len(await listed(desk)) == 1


@pytest.mark.parametrize("accepted", [True, False])
async def test_an_answer_that_is_lost_is_unknown_and_the_list_tells(desk: KiteDesk, accepted: bool) -> None:
    desk.server.faults.add(Kind.DROP, "gtt.place", accepted=accepted)
    with pytest.raises(OutcomeUnknown):
        await desk.broker.place_gtt(approved_gtt(STOP))
    assert len(await listed(desk)) == accepted
    assert len(desk.server.called("gtt.place")) == 1


async def test_refusals_are_in_the_brokers_words(desk: KiteDesk) -> None:
    with pytest.raises(OrderRefused, match=r"at least 0\.25% away"):
        await desk.broker.place_gtt(approved_gtt(replace(STOP, trigger_price=Decimal("99.90"))))
    desk.server.faults.add(Kind.ADDRESS)
    with pytest.raises(OrderRefused, match=r"(?i)\bip\b"):
        await desk.broker.place_gtt(approved_gtt(STOP))
    desk.session.token = None
    with pytest.raises(OrderRefused):
        await desk.broker.place_gtt(approved_gtt(STOP))
    with pytest.raises(LoginNeeded):
        await listed(desk)


async def test_the_order_it_becomes_is_named_by_the_list_and_carries_no_tag() -> None:
    async with kite_desk(streamed=True) as desk:
        heard: list[OrderUpdate] = []
        await holding(desk)
        gtt_id = await desk.broker.place_gtt(approved_gtt(STOP))
        desk.broker.listen(heard.append)
        desk.server.market.price(KEY, 94.0)
        await until(lambda: any(u.status is BrokerStatus.COMPLETE for u in heard))
        (row,) = await listed(desk)
        assert (row.gtt_id, row.status, row.gtt) == (gtt_id, GttStatus.TRIGGERED, STOP)
        (sold,) = [u for u in heard if u.status is BrokerStatus.COMPLETE]
        assert (sold.order_id, sold.tag, sold.order_type) == (row.order_id, None, OrderType.LIMIT)
        assert (sold.price, sold.quantity, sold.product) == (STOP.price, 10, Product.CNC)


async def test_one_that_fired_and_became_no_order_says_why(desk: KiteDesk) -> None:
    await desk.broker.place_gtt(approved_gtt(replace(STOP, price=Decimal("92.16"))))  # off the tick
    desk.server.market.price(KEY, 94.0)
    (row,) = await listed(desk)
    assert (row.status, row.order_id) == (GttStatus.TRIGGERED, None)
    assert "tick size" in row.message


async def test_one_without_shares_behind_it_becomes_an_order_that_is_rejected(desk: KiteDesk) -> None:
    await desk.broker.place_gtt(approved_gtt(STOP))
    desk.server.market.price(KEY, 94.0)
    (row,) = await listed(desk)
    (order,) = (await desk.broker.book()).orders
    assert (order.order_id, order.status) == (row.order_id, BrokerStatus.REJECTED)
    assert "Insufficient holdings" in order.message


@pytest.mark.parametrize(
    ("became", "found"),
    [
        (None, (None, "")),
        ({"account_id": "AB", "order_result": None}, (None, "")),
        ({"order_result": {"status": "success", "order_id": "42", "rejection_reason": ""}}, ("42", "")),
        (
            {"order_result": {"status": "failed", "order_id": "", "rejection_reason": "No shares"}},
            (None, "No shares"),
        ),
        ({"order_result": {"status": "failed", "order_id": ""}}, (None, "The broker says: failed.")),
    ],
)
def test_what_became_of_one(became: object, found: tuple[str | None, str]) -> None:
    row = mapping.gtt_row(as_row(became))
    assert (row.order_id, row.message) == found


@pytest.mark.parametrize(
    "change",
    [
        {"type": "two-leg"},
        {"condition": {"exchange": "MCX", "tradingsymbol": "GOLD", "trigger_values": [1.0]}},
        {"orders": []},
        {"orders": [{"order_type": "LIMIT"}] * 2},
        {"orders": None},
    ],
)
def test_what_munim_does_not_make_is_not_its_business(change: dict[str, object]) -> None:
    assert mapping.gtt_rows([as_row(None) | change]) == []


async def test_a_list_nobody_can_read_proves_nothing(desk: KiteDesk) -> None:
    await desk.broker.place_gtt(approved_gtt(STOP))
    desk.server.faults.add(Kind.HTML, "gtts")
    with pytest.raises(BrokerUnavailable):
        await listed(desk)
    nonsense = as_row(None) | {
        "condition": {"exchange": "NSE", "tradingsymbol": "ACME", "trigger_values": []}
    }
    with pytest.raises(mapping.UnreadableRow, match="trigger_values"):
        mapping.gtt_rows([nonsense])


def as_row(became: object) -> dict[str, object]:
    """As the official sample has it (kite.md 9)."""
    return {
        "id": 112127, "user_id": "XX0000", "parent_trigger": None, "type": "single",
        "created_at": "2026-11-23 15:35:01", "updated_at": "2026-11-23 15:35:01",
        "expires_at": "2027-11-23 00:00:00", "status": "triggered",
        "condition": {
            "exchange": "NSE", "last_price": 100.0, "tradingsymbol": "ACME", "trigger_values": [95.0],
            "instrument_token": 999_937,
        },
        "orders": [{
            "exchange": "NSE", "tradingsymbol": "ACME", "product": "CNC", "order_type": "LIMIT",
            "transaction_type": "SELL", "quantity": 10, "price": 92.15, "result": became,
        }],
        "meta": {},
    }  # fmt: skip


def test_the_id_is_text_like_every_id_of_the_broker() -> None:
    assert mapping.gtt_row(as_row(None)).gtt_id == GttId("112127")
