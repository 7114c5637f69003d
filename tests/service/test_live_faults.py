"""Every fault between the live desk and its broker, met by the whole house: what stands at the broker after
it, what the desk holds for true, and what its owner is told (the numbers are those of faults.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.kite.orders import Status
from tests.service.live_house import LEVEL, OTHER, LiveHouse, brisk, live_house
from trader.domain.order import OrderState

MINUTE, HOUR = 60.0, 3600.0
PROOF = 120.0  # seconds before which nothing is proven absent (row 2)

# Answers to a placement that say nothing certain about it (rows 1, 4, 5 and 6).
UNCLEAR: dict[str, dict[str, Any]] = {
    "500": {"kind": "down", "status": 500},
    "502": {"kind": "down", "status": 502},
    "503": {"kind": "down"},
    "504": {"kind": "down", "status": 504},
    "a page with 502": {"kind": "html"},
    "a page with 200": {"kind": "html", "status": 200},
    "no error type": {"kind": "untyped"},
    "no order id": {"kind": "empty"},
    "a 400 that timed out": {"kind": "timed_out"},
    "no answer": {"kind": "drop"},
}


def now_and_then(live: LiveHouse) -> dict[str, int]:
    return {name: live.sent(name) for name in ("place", "modify", "cancel")}


async def bought(live: LiveHouse) -> None:
    """A position with its stop at the broker, and the price back below the level."""
    await live.touches()
    await live.until(live.protected, "protected")
    await live.falls_back()


# -- placements nobody answered for -------------------------------------------------------------------


@pytest.mark.parametrize("answer", UNCLEAR)
@brisk
async def test_an_order_that_was_accepted_behind_an_unclear_answer_is_found_by_its_tag(
    answer: str, tmp_path: Path
) -> None:
    async with live_house(tmp_path) as live:
        live.kite.faults.add("lose", times=None)  # the book alone can tell
        live.kite.faults.add(on="place", accepted=True, **UNCLEAR[answer])
        live.quotes(LEVEL + 1)
        await live.until(lambda: bool(live.orders(OrderState.UNKNOWN)), "unknown")
        (entry,) = live.entries()
        told = await live.hears("Outcome unknown")
        assert "will not be sent again" in told.body
        assert entry.tag in told.body
        await live.until(live.protected, "found and protected")
        await live.passes(MINUTE)
        (order,) = live.at_broker(entry.tag)
        assert (order.status, order.filled) == (Status.COMPLETE, 10)
        assert [o.state for o in live.entries()] == [OrderState.FILLED]
        assert live.sent() == 2, "the entry and its stop"
        assert live.mode == "ACTIVE"
        live.nothing_is_lost_or_doubled()


@pytest.mark.parametrize("answer", UNCLEAR)
@brisk
async def test_an_order_that_never_arrived_is_proven_absent_and_not_sent_again(
    answer: str, tmp_path: Path
) -> None:
    async with live_house(tmp_path) as live:
        live.kite.faults.add(on="place", **UNCLEAR[answer])
        await live.touches()
        await live.falls_back()
        (entry,) = live.entries()
        live.kite.app.order(OTHER, "BUY", 1)  # what else happens proves that the book is of now
        await live.passes(PROOF - 20)
        assert live.orders(OrderState.UNKNOWN), "not before its time"
        await live.touches()
        await live.falls_back()
        await live.hears("Not placed", within=MINUTE)
        assert [o.state for o in live.entries()] == [OrderState.NOT_PLACED]
        assert live.at_broker(entry.tag) == []
        assert live.sent() == 1
        await bought(live)  # a new decision is a new order
        assert len({o.tag for o in live.entries()}) == 2
        live.nothing_is_lost_or_doubled()


@brisk
async def test_an_outcome_nobody_can_prove_stays_unknown(tmp_path: Path) -> None:
    """Row 2, and the 6 November 2023: a book that shows nothing new may be one that stands still."""
    async with live_house(tmp_path) as live:
        live.kite.faults.add("down", "place")
        await live.touches()
        await live.falls_back()
        await live.starts()  # another strategy on the same share
        await live.touches()
        await live.falls_back()
        assert live.denied("unresolved_order"), "nothing else is opened there meanwhile"
        await live.passes(5 * MINUTE)
        assert [o.state for o in live.entries()] == [OrderState.UNKNOWN]
        assert live.sent() == 1
        assert live.times_told("Outcome unknown") == 1


@brisk
async def test_an_accepted_order_the_book_hides_for_90_seconds_is_not_given_up(tmp_path: Path) -> None:
    """Row 3."""
    async with live_house(tmp_path) as live:
        live.kite.faults.add("lose", times=None)
        live.kite.faults.add("invisible", seconds=90)
        live.kite.faults.add("down", "place", accepted=True)
        await live.touches()
        await live.falls_back()
        await live.passes(80)
        assert [o.state for o in live.entries()] == [OrderState.UNKNOWN]
        await live.until(live.protected, "found and protected", 2 * MINUTE)
        assert not live.told("Not placed")
        live.nothing_is_lost_or_doubled()


# -- placements that were refused ---------------------------------------------------------------------


@brisk
async def test_too_many_requests_refuses_an_order_that_is_looked_for_and_not_sent_again(
    tmp_path: Path,
) -> None:
    """Row 10."""
    async with live_house(tmp_path) as live:
        live.kite.faults.add("too_many", "place")
        looks = live.sent("orders")
        await live.touches()
        assert live.sent("orders") > looks
        await live.falls_back()
        assert [o.state for o in live.entries()] == [OrderState.REJECTED]
        told = await live.hears("Rejected by the broker")
        assert "Too many requests" in told.body
        await live.passes(MINUTE)
        assert live.sent() == 1
        assert live.at_broker() == []
        assert live.mode == "ACTIVE"
        await bought(live)
        live.nothing_is_lost_or_doubled()


@brisk
async def test_an_order_that_a_429_let_through_all_the_same_is_taken_up(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        live.kite.faults.add("lose", times=None)
        live.kite.faults.add("too_many", "place", accepted=True)
        await live.touches()
        await live.until(live.protected, "protected")
        assert not live.told("Rejected")
        live.nothing_is_lost_or_doubled()


@brisk
async def test_a_stop_that_a_429_refused_is_placed_anew(tmp_path: Path) -> None:
    """What reduces risk is decided again at once, as another intent."""
    async with live_house(tmp_path) as live:
        live.kite.exchange.pace.filling = 1.0  # time to put the fault between the entry and its fill
        live.quotes(LEVEL + 1)
        await live.until(lambda: live.sent() == 1, "sent")
        live.kite.faults.add("too_many", "place")
        await live.until(live.protected, "protected")
        stops = [o for o in live.orders() if o.purpose == "stop"]
        assert [(o.state is OrderState.REJECTED, o.working) for o in stops] == [(True, False), (False, True)]
        assert live.told("Too many requests")
        assert not live.told("Unprotected")
        live.nothing_is_lost_or_doubled()


@brisk
async def test_a_storm_of_429_over_the_reads_leaves_an_unknown_order_unknown(tmp_path: Path) -> None:
    """Row 11."""
    async with live_house(tmp_path) as live:
        live.kite.faults.add("lose", times=None)
        live.kite.faults.add("down", "place", accepted=True)
        for route in ("orders", "positions", "holdings"):
            live.kite.faults.add("too_many", route, times=None)
        await live.touches()
        before = live.sent("orders")
        await live.passes(5 * MINUTE)
        assert [o.state for o in live.entries()] == [OrderState.UNKNOWN]
        assert live.sent("orders") - before <= 20, "it is asked less and less often"
        live.kite.faults.clear("too_many")
        await live.until(live.protected, "found and protected")
        live.nothing_is_lost_or_doubled()


@pytest.mark.parametrize(
    "answer", [{"kind": "too_many"}, {"kind": "html", "status": 200}], ids=["429", "html"]
)
@brisk
async def test_history_that_is_not_told_is_waited_for(answer: dict[str, Any], tmp_path: Path) -> None:
    async with live_house(tmp_path, logged_in=False, armed=False) as live:
        live.kite.faults.add(on="historical", times=None, **answer)
        await live.types(f"/start_strategy touch RELIANCE 1m above={LEVEL + 1} check=off")
        await live.hears("touch waits for its history")
        await live.passes(5 * MINUTE)
        assert live.statuses() == ["WARMING"]
        assert live.sent("historical") <= 60
        live.kite.faults.clear()
        await live.until(lambda: live.statuses() == ["RUNNING"], "running")


@brisk
async def test_an_address_that_may_not_order_halts_the_desk(tmp_path: Path) -> None:
    """Row 8."""
    async with live_house(tmp_path) as live:
        await bought(live)
        live.quotes(1400)  # the stop at the broker works by itself
        await live.until(lambda: not live.held(), "stopped out")
        await live.falls_back()
        await live.passes(8)  # nothing is unsettled, so nobody looks at the book by itself
        live.kite.faults.add("address", times=None)
        looks, sent = live.sent("orders"), live.sent()
        await live.touches()
        assert live.sent("orders") == looks + 1
        assert live.entries()[-1].state is OrderState.REJECTED
        told = await live.hears("HALTED: the broker takes no orders from here")
        assert "IP (127.0.0.1) is not allowed to place orders" in told.body
        assert "/resume" in told.body
        assert live.mode == "HALTED"
        await live.falls_back()
        await live.touches()
        await live.falls_back()
        assert live.sent() == sent + 1, "nothing more is entered"
        live.kite.faults.clear()
        assert "ACTIVE" in await live.presses("/resume", "Resume")
        await live.falls_back()
        await bought(live)
        live.nothing_is_lost_or_doubled()


@brisk
async def test_exits_that_an_address_may_not_send_are_tried_with_patience_and_told(tmp_path: Path) -> None:
    """Rows 8, 54 and 55: what is open is named, and no loop uses up the day's orders."""
    async with live_house(tmp_path) as live:
        await bought(live)
        live.kite.faults.add("address", times=None)
        before = now_and_then(live)
        await live.types("/kill")
        await live.hears("NOT FLAT", within=5 * MINUTE)
        await live.passes(3 * MINUTE)
        tried = sum(now_and_then(live).values()) - sum(before.values())
        assert 1 <= tried <= 45, tried
        assert live.held() == 10
        assert [o.status for o in live.at_broker()][-1] is Status.TRIGGER_PENDING, "the stop still rests"
        live.kite.faults.clear()
        await live.until(lambda: not live.held(), "flat", 10 * MINUTE)
        live.nothing_is_lost_or_doubled()


# -- reads that do not come back ----------------------------------------------------------------------


@pytest.mark.parametrize("route", ["orders", "positions", "holdings"])
@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "html"},
        {"kind": "html", "status": 200},
        {"kind": "down"},
        {"kind": "untyped"},
        {"kind": "too_many"},
        {"kind": "empty"},
        {"kind": "cut"},
    ],
    ids=lambda answer: "-".join(str(value) for value in answer.values()),
)
@brisk
async def test_a_read_that_fails_is_no_empty_account(
    answer: dict[str, Any], route: str, tmp_path: Path
) -> None:
    """Row 29."""
    async with live_house(tmp_path) as live:
        await bought(live)
        before = now_and_then(live)
        live.kite.faults.add(on=route, times=None, **answer)
        heard = len(live.alerts())
        await live.types("/reconcile")
        told = await live.hears("NOT reconciled", heard)
        assert told.title == "NOT reconciled: the broker cannot be read"
        await live.passes(15)
        assert live.held() == 10
        assert live.protected()
        assert now_and_then(live) == before
        assert not live.house.front.view().locks
        live.kite.faults.clear()
        await live.types("/reconcile")
        await live.hears("In order")
        live.nothing_is_lost_or_doubled()


# -- a stream that is dead and does not say so --------------------------------------------------------


@brisk
async def test_a_half_open_stream_is_replaced_and_what_it_kept_silent_is_found(tmp_path: Path) -> None:
    """Rows 15, 43 and 44."""
    async with live_house(tmp_path) as live:
        await bought(live)
        await live.passes(10)  # by now the stop is known to rest, and nothing looks at the book
        opened, tokens = live.kite.stream.opened, set(live.kite.stream.connections[0].modes)
        live.kite.stream.silence()
        live.quotes(1400)  # through the stop: nobody hears of the fill
        await live.passes(5)
        assert live.held() == 10
        await live.until(lambda: live.kite.stream.opened == opened + 1, "reconnected", 20)
        await live.until(lambda: not live.held(), "told of the fill", 10)
        assert live.kite.stream.connections[-1].modes.keys() == tokens
        assert {str(mode) for mode in live.kite.stream.connections[-1].modes.values()} == {"full"}
        await live.passes(2 * MINUTE)
        assert live.kite.stream.opened == opened + 1
        assert len(live.kite.stream.connections) == 1
        live.nothing_is_lost_or_doubled()


@brisk
async def test_while_prices_are_old_nothing_is_entered(tmp_path: Path) -> None:
    """Row 43: a frozen feed, with heartbeats. The candle of the last prices closes all the same."""
    async with live_house(tmp_path) as live:
        await live.types(f"/start_strategy closes RELIANCE 1m above={LEVEL + 0.5} quantity=10 check=off")
        await live.until(lambda: live.clock.now().second == 5, "the fifth second of a minute", 2 * MINUTE)
        await live.types("/pause touch")
        await live.touches()
        live.kite.faults.add("frozen", times=None)
        await live.hears("RELIANCE's last price is", within=2 * MINUTE)
        assert live.denied("stale_quote")
        await live.passes(3 * MINUTE)
        assert live.sent() == 0
        assert live.kite.stream.connections, "nothing is wrong with the connection"
        live.kite.faults.clear()
        await live.until(live.protected, "entered at a fresh price", 3 * MINUTE)
        live.nothing_is_lost_or_doubled()


@brisk
async def test_a_stream_that_stays_away_is_told_and_tried_with_patience(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        await bought(live)

        opened = live.kite.stream.opened
        live.kite.faults.add("frozen", times=None)  # no price on the new connections either
        for _ in range(300):
            live.kite.stream.silence()
            await live.passes(1)
        assert 5 <= live.kite.stream.opened - opened <= 25, "tried again, in no storm"
        assert live.times_told("Market data has stopped") == 1
        live.kite.faults.clear()
        live.kite.stream.unsilence()
        await live.hears("Market data is back", within=2 * MINUTE)
        live.nothing_is_lost_or_doubled()
