"""The session's own faults, met by the whole live house: a token that dies, another program that logs in, a
login that is refused. What the owner hears, and what is not tried again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from sandbox.kite import KiteServer
from tests.service.live_house import LEVEL, LiveHouse, brisk, live_house, settings_of
from trader.broker.zerodha.stream.reports import LoginNeeded
from trader.domain.order import OrderState
from trader.domain.records import Setting
from trader.domain.times import IST
from trader.market.calendar import Calendar
from trader.service.kite import SESSION, KiteHouse
from trader.service.settings import read_settings

MINUTE = 60.0
OVER = "Zerodha session over"
WRONG_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # noqa: S105 - the example of RFC 6238
BEFORE_NOON = datetime(2026, 11, 23, 11, 50, tzinfo=IST)


def logins(live: LiveHouse) -> int:
    return live.sent("session")


async def bought(live: LiveHouse) -> None:
    await live.touches()
    await live.until(live.protected, "protected")
    await live.falls_back()


# -- a token that dies during the day (row 9) ---------------------------------------------------------


@brisk
async def test_a_token_that_expires_is_renewed_and_the_book_read_before_anything_else(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        await bought(live)
        first, calls = logins(live), len(live.kite.calls)
        live.kite.faults.add("kill_token")
        told = await live.hears(OVER)
        assert "Authentication failed" in told.body
        open_now = await live.hears("Open while nobody is logged in")
        assert "RELIANCE +10 MIS: stop ₹1,466.30 rests at the broker" in open_now.body
        assert live.held() == 10, "nothing is forgotten"
        await live.touches()  # the strategy holds; a second one would enter
        await live.falls_back()
        await live.hears("Logged in to Zerodha", live.alerts().index(told))
        await live.until(live.protected, "protected")
        names = [call.name for call in list(live.kite.calls)[calls:]]
        assert logins(live) == first + 1
        after = names[names.index("session") :]
        assert "orders" in after
        assert "place" not in names
        assert live.mode == "ACTIVE"
        live.quotes(1400)
        await live.until(lambda: not live.held(), "stopped out")
        live.nothing_is_lost_or_doubled()


@brisk
async def test_what_was_under_way_when_the_token_died_is_resolved_after_the_login(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        live.kite.faults.add("lose", times=None)
        live.kite.faults.add("down", "place", accepted=True)
        live.quotes(LEVEL + 1)
        await live.until(lambda: bool(live.orders(OrderState.UNKNOWN)), "unknown")
        live.kite.faults.add("kill_token")
        told = await live.hears("Open while nobody is logged in")
        assert "Outcome unknown: BUY 10 RELIANCE MARKET" in told.body
        assert live.orders(OrderState.UNKNOWN)
        await live.hears("Logged in to Zerodha", live.alerts().index(told))
        await live.until(live.protected, "found and protected")
        assert [o.state for o in live.entries()] == [OrderState.FILLED]
        live.nothing_is_lost_or_doubled()


@brisk
async def test_a_placement_that_meets_the_dead_token_is_refused_and_not_repeated(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        live.kite.stream.drop_strangers = lambda: None  # type: ignore[method-assign] # the stream notices later
        live.kite.session.kill()
        await live.touches()
        await live.falls_back()
        assert [o.state for o in live.entries()] == [OrderState.REJECTED]
        assert await live.hears(OVER)
        await live.hears("Logged in to Zerodha", 3)
        await live.passes(30)
        assert live.sent() == 1
        await bought(live)
        live.nothing_is_lost_or_doubled()


@brisk
async def test_without_credentials_the_owner_is_asked_and_entries_wait_for_the_book(tmp_path: Path) -> None:
    async with live_house(tmp_path, automatic=False) as live:
        await bought(live)
        first = logins(live)
        live.kite.faults.add("kill_token")
        told = await live.hears(OVER)
        assert "/login" in told.body
        live.quotes(1400)  # its stop fills while nobody is logged in
        await live.passes(2)
        await live.falls_back()
        await live.passes(10 * MINUTE)
        assert logins(live) == first
        assert live.kite.login.code_attempts == 0
        assert live.held() == 10
        assert live.times_told(OVER) == 1
        assert live.times_told("Log in to Zerodha") == 2, "at the start and now, not every second"
        live.kite.faults.add("html", "orders", times=None)
        assert "Logged in" in await live.types(f"/login {live.kite.login.callback_url()}")
        await live.passes(10)
        sent = live.sent()
        await live.touches()
        await live.falls_back()
        assert live.sent() == sent, "nothing is entered before the book was read"
        live.kite.faults.clear()
        await live.until(lambda: not live.held(), "told of the fill", 2 * MINUTE)
        await live.passes(5)
        await bought(live)
        live.nothing_is_lost_or_doubled()


# -- another program with the same app ----------------------------------------------------------------


@brisk
async def test_another_program_that_keeps_logging_in_gets_no_war(tmp_path: Path) -> None:
    async with live_house(tmp_path, start=BEFORE_NOON) as live:
        await bought(live)
        for _ in range(20):  # a minute apart, to 12:10: two parts of the day
            live.kite.faults.add("other_login")
            await live.passes(MINUTE)
        assert live.kite.login.code_attempts <= 4, "two for each part of the day"
        assert logins(live) <= 4
        assert live.kite.login.failures == 0
        assert live.times_told(OVER) == logins(live)
        told = live.told("another login with the same app")
        assert told is not None
        assert live.times_told("Munim has tried to log in by itself 2 times") <= 2
        assert live.kite.stream.refused <= 2 * logins(live), "no storm at the stream's door"
        refused = len([c for c in live.kite.calls if c.name in ("orders", "positions", "profile")])
        assert refused < 200
        assert live.held() == 10
        text = await live.types(f"/login {live.kite.login.callback_url()}")
        assert "Logged in" in text
        await live.until(live.protected, "protected")
        live.nothing_is_lost_or_doubled()


# -- logins that are refused --------------------------------------------------------------------------


@brisk
async def test_a_wrong_code_is_tried_twice_in_a_part_of_the_day_and_told(tmp_path: Path) -> None:
    async with live_house(
        tmp_path, start=BEFORE_NOON, armed=False, logged_in=False, KITE_TOTP_SECRET=WRONG_SECRET
    ) as live:
        told = await live.hears("Could not log in to Zerodha", within=5 * MINUTE)
        assert "refused the one-time code" in told.body
        assert live.account.link() in told.body
        assert live.kite.login.code_attempts == 2
        await live.passes(8 * MINUTE)
        assert live.kite.login.code_attempts == 2
        await live.passes(20 * MINUTE)  # beyond noon
        assert live.kite.login.code_attempts == 4
        assert live.kite.login.failures < live.kite.login.lock_after, "the account is not locked"
        assert live.times_told("Could not log in to Zerodha") <= 4
        assert live.sent() == 0
        assert "Logged in" in await live.types(f"/login {live.kite.login.callback_url()}")
        await live.starts()
        await live.arms()
        await bought(live)
        live.nothing_is_lost_or_doubled()


@pytest.mark.parametrize("wrong", ["KITE_PASSWORD", "KITE_USER_ID"])
@brisk
async def test_a_wrong_password_is_tried_once(wrong: str, tmp_path: Path) -> None:
    async with live_house(
        tmp_path, start=BEFORE_NOON, armed=False, logged_in=False, **{wrong: "something"}
    ) as live:
        told = await live.hears("Could not log in to Zerodha")
        assert "refused KITE_USER_ID or KITE_PASSWORD" in told.body
        await live.passes(20 * MINUTE)
        assert live.sent("login.password") == 1
        assert live.kite.login.failures == 1
        assert live.times_told("Could not log in to Zerodha") == 1


@brisk
async def test_consent_is_asked_for_once_in_a_browser(tmp_path: Path) -> None:
    def unauthorised(kite: KiteServer) -> None:
        kite.faults.add("consent")

    async with live_house(tmp_path, armed=False, logged_in=False, prepare=unauthorised) as live:
        told = await live.hears("Could not log in to Zerodha")
        assert "authorise the app once, in a browser" in told.body
        assert live.account.link() in told.body
        await live.passes(20 * MINUTE)
        assert live.kite.login.code_attempts <= 2
        assert live.kite.login.failures == 0
        assert logins(live) == 0
        live.kite.faults.clear()  # the owner pressed Authorise
        assert "Logged in" in await live.types(f"/login {live.kite.login.callback_url()}")
        await live.starts()
        await live.arms()
        await bought(live)
        live.nothing_is_lost_or_doubled()


@brisk
async def test_a_login_page_that_is_down_is_no_attempt_and_is_tried_again(tmp_path: Path) -> None:
    def down(kite: KiteServer) -> None:
        kite.faults.add("html", "login.*", times=None)

    async with live_house(tmp_path, armed=False, logged_in=False, prepare=down) as live:
        await live.hears("Could not log in to Zerodha")
        await live.passes(20 * MINUTE)
        assert live.kite.login.code_attempts == 0
        assert live.times_told("Could not log in to Zerodha") == 1
        assert len([c for c in live.kite.calls if c.name.startswith("login.")]) <= 10
        live.kite.faults.clear()
        await live.hears("Logged in to Zerodha", within=10 * MINUTE)


@brisk
async def test_a_strategy_waits_for_its_history_until_somebody_has_logged_in(tmp_path: Path) -> None:
    """So it is, too, for one that a restart before the morning's login finds in the ledger."""
    async with live_house(tmp_path, automatic=False, logged_in=False, armed=False) as live:
        assert "Started" in await live.types(f"/start_strategy touch RELIANCE 1m above={LEVEL + 1} check=off")
        told = await live.hears("touch waits for its history")
        assert "Nobody has logged in" in told.body
        await live.passes(10 * MINUTE)
        assert live.statuses() == ["WARMING"]
        assert live.times_told("waits for its history") == 1
        await live.types(f"/login {live.kite.login.callback_url()}")
        await live.until(lambda: live.statuses() == ["RUNNING"], "running")
        await live.arms()
        await bought(live)


# -- who logs in --------------------------------------------------------------------------------------


@brisk
async def test_a_known_owner_without_a_password_keeps_others_out(tmp_path: Path) -> None:
    async with live_house(
        tmp_path, automatic=False, logged_in=False, armed=False, KITE_USER_ID="ZZ9999"
    ) as live:
        text = await live.types(f"/login {live.kite.login.callback_url()}")
        assert "That login is AB1234's, but KITE_USER_ID is ZZ9999" in text
        assert live.kite.session.access_token is None, "the stranger's session was ended"
        assert live.kite.login.code_attempts == 0
    async with live_house(
        tmp_path, automatic=False, logged_in=False, armed=False, KITE_USER_ID="AB1234"
    ) as live:
        assert "as AB1234" in await live.types(f"/login {live.kite.login.callback_url()}")


# -- the stream's door --------------------------------------------------------------------------------


@brisk
async def test_a_403_at_the_stream_asks_for_a_login_and_knocks_no_more(tmp_path: Path) -> None:
    async with live_house(tmp_path, automatic=False) as live:
        await bought(live)
        refused = live.kite.stream.refused
        live.kite.faults.add("kill_token")
        await live.hears(OVER)
        await live.passes(10 * MINUTE)
        assert live.kite.stream.refused == refused + 1
        await live.hears("Market data has stopped")
        assert "Logged in" in await live.types(f"/login {live.kite.login.callback_url()}")
        await live.until(lambda: len(live.kite.stream.connections) == 1, "connected")
        await live.hears("Market data is back")
        assert live.kite.stream.refused == refused + 1
        live.nothing_is_lost_or_doubled()


@brisk
async def test_a_stream_that_is_refused_while_the_token_is_good_ends_no_login_war(tmp_path: Path) -> None:
    """An app without market data: REST works, the handshake does not."""
    async with live_house(tmp_path, start=BEFORE_NOON) as live:
        live.kite.session.data_plan = False
        live.kite.stream.drop()
        await live.passes(20 * MINUTE)
        assert logins(live) <= 4
        assert live.kite.stream.refused <= 6
        assert live.sent() == 0


@brisk
async def test_a_late_403_of_an_old_token_does_not_end_a_newer_session(tmp_path: Path) -> None:
    async with live_house(tmp_path) as live:
        old = live.account.session.access_token
        live.kite.faults.add("kill_token")
        await live.hears("Logged in to Zerodha", 2, 2 * MINUTE)
        state, told = live.account.session.state, len(live.alerts())
        late = LoginNeeded(live.clock.now(), "Kite answered 403 Authentication failed.", old)
        live.account.stream.tell(late)
        await live.passes(5)
        assert live.account.session.state == state
        assert not live.told(OVER, told)
        live.account.stream.tell(replace(late, access_token=live.account.session.access_token))
        assert not live.account.session.state.valid


@brisk
async def test_a_logout_that_meets_a_login_under_way_has_the_last_word(tmp_path: Path) -> None:
    async with live_house(tmp_path, start=BEFORE_NOON) as live:
        await live.passes(11 * MINUTE)  # of this part of the day no try of its own is used up
        live.kite.faults.add("slow", "session")
        login = asyncio.create_task(live.types(f"/login {live.kite.login.callback_url()}"))
        await asyncio.sleep(0)  # it is on its way first
        logout = asyncio.create_task(live.presses("/logout", "Log out"))
        for _ in range(100):
            await asyncio.sleep(0)
        live.kite.heal()
        assert "Logged in" in await login
        assert "Logged out" in await logout
        at = logins(live)
        await live.passes(20 * MINUTE)
        assert not live.account.session.state.valid
        assert logins(live) == at, "nobody logs in again but the owner"
        assert "Logged in" in await live.types("/login")


@brisk
async def test_a_logout_lasts_over_a_restart_until_the_owner_logs_in(tmp_path: Path) -> None:
    async with live_house(tmp_path, start=BEFORE_NOON) as live:
        assert "Logged out" in await live.presses("/logout", "Log out")
        at = logins(live)
        async with restarted(live, tmp_path) as again:
            assert (
                "Logged out of Zerodha",
                "You ended the session. /login begins a new one.",
            ) in again._untold
            await live.passes(20 * MINUTE)
            assert logins(live) == at
            assert "Logged in" in await again.login()
        async with restarted(live, tmp_path) as again:
            assert again.session.state.valid


@asynccontextmanager
async def restarted(live: LiveHouse, folder: Path) -> AsyncIterator[KiteHouse]:
    """The way to Zerodha of the next process, with what this one's ledger kept of the session."""
    settings = read_settings(settings_of(live.kite, folder, live.clock.now(), automatic=True))
    kept = next(one.value for one in live.store._all(Setting) if one.key == SESSION)
    house = KiteHouse(settings, live.store, kept, live.clock, Calendar.load())
    await house.open()
    keeping = asyncio.create_task(house.keep())
    try:
        yield house
    finally:
        keeping.cancel()
        await house.close()
