"""The session with Zerodha: pasted links, restarts, ends (against the local Kite)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from sandbox.kite import Kind, KiteServer
from tests.broker.kite_session_house import House, housed
from tests.broker.test_zerodha_faults import odd_server
from trader.broker.zerodha import session
from trader.broker.zerodha.credentials import KiteCredentials, KiteEndpoints
from trader.domain.errors import BrokerUnavailable, InvalidInput, LoginNeeded
from trader.domain.times import IST


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with housed() as house:
        yield house


def token_of(address: str) -> str:
    return address.split("request_token=")[1].split("&")[0]


# -- beginning ------------------------------------------------------------------------------------------


async def test_before_a_login_there_is_no_token_and_the_reason_says_what_to_do(house: House) -> None:
    assert not house.session.state.valid
    with pytest.raises(LoginNeeded, match="/login"):
        _ = house.session.access_token
    assert house.changes == []


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("{address}", id="the whole address"),
        pytest.param("{token}", id="the bare token"),
        pytest.param("  <{address}>\n", id="as some chats wrap it"),
        pytest.param("here it is: {address} thanks", id="in a sentence"),
        pytest.param(
            "http://127.0.0.1/x?action=login&status=success&request_token={token}", id="no mark of ours"
        ),
    ],
)
async def test_a_pasted_login_begins_a_session_until_six_next_morning(house: House, form: str) -> None:
    address = house.address()
    state = await house.session.login(form.format(address=address, token=token_of(address)))
    assert state.valid
    assert state.user_id == house.server.client.user_id
    assert state.until == datetime(2026, 3, 24, 6, 0, tzinfo=IST)
    assert house.changes == [state]
    assert house.works(house.session.access_token)


@pytest.mark.parametrize(
    ("hour", "day"), [(0, 23), (5, 23), (6, 24), (23, 24)], ids=["midnight", "before six", "at six", "late"]
)
async def test_a_session_ends_at_the_next_six_whenever_it_began(house: House, hour: int, day: int) -> None:
    house.wall.set(hour, 0, 0)
    state = await house.session.login(house.address())
    assert state.until == datetime(2026, 3, day, 6, 0, tzinfo=IST)
    assert house.server.session.expires_at == state.until


def test_the_link_to_log_in_holds_the_key_and_no_secret() -> None:
    credentials = KiteCredentials("thekey", "thesecret", "AB1234", "thepassword", "thetotp")
    link = KiteEndpoints().login_link(credentials)
    assert link.startswith(
        "https://kite.zerodha.com/connect/login?v=3&api_key=thekey&redirect_params=munim%3D"
    )
    assert not any(secret in link + repr(credentials) for secret in ("thesecret", "thepassword", "thetotp"))


async def test_the_links_mark_comes_back_in_the_address(house: House) -> None:
    """So an address of another app's login is told before it is used up."""
    import aiohttp

    link = house.session.login_link()
    async with aiohttp.ClientSession() as browser, browser.get(link, allow_redirects=False) as page:
        sess_id = page.headers["Location"].split("sess_id=")[1]
    assert house.server.login._pending[sess_id] == f"munim={house.credentials.app_mark}"
    assert (await house.session.login(house.address())).valid


# -- what cannot be meant -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pasted", "sentence"),
    [
        ("", "no request token"),
        ("yes please", "no request token"),
        ("0123456789", "no request token"),
        ("http://127.0.0.1/munim?status=cancelled&action=login", "not completed"),
        ("http://127.0.0.1/munim?status=error&request_token=0123456789012345678901", "not completed"),
        ("https://kite.zerodha.com/connect/login?v=3&api_key={key}", "the link to open"),
        ("https://kite.zerodha.com/connect/login?v=3&api_key=another", "another app"),
        ("http://127.0.0.1/?request_token=0123456789012345678901&munim=00000000", "another app"),
        ("http://[broken?request_tok", "no request token"),
    ],
)
async def test_what_is_no_answer_of_the_login_is_explained_and_not_sent(
    house: House, pasted: str, sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence) as caught:
        await house.session.login(pasted.format(key=house.credentials.api_key))
    assert "0123456789" not in str(caught.value)
    assert not house.server.calls
    assert house.changes == []


# -- what Zerodha refuses -------------------------------------------------------------------------------


async def refused(house: House, pasted: str) -> str:
    with pytest.raises(LoginNeeded) as caught:
        await house.session.login(pasted)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    told = str(caught.value)
    assert token_of(pasted) not in told
    assert house.credentials.api_secret not in told
    assert not house.session.state.valid
    return told


async def test_an_address_works_once(house: House) -> None:
    address = house.address()
    await house.session.login(address)
    await house.session.logout()
    assert "works once" in await refused(house, address)


async def test_an_address_is_good_for_minutes(house: House) -> None:
    address = house.address()
    house.wall.at += timedelta(minutes=5)
    assert "for a few minutes" in await refused(house, address)


async def test_an_address_of_another_apps_login_is_refused(house: House) -> None:
    async with KiteServer(house.wall.now, pulse=None) as other:
        assert "the app it was made for" in await refused(house, other.login.callback_url())


@pytest.mark.parametrize("answer", [(403, "TokenException"), (400, "InputException")])
async def test_a_wrong_app_secret_is_named(house: House, answer: tuple[int, str]) -> None:
    house.server.session.checksum_error = answer
    house.restarted(replace(house.credentials, api_secret="of-another-app"))  # noqa: S106 - made up
    assert "KITE_API_SECRET" in await refused(house, house.address())


async def test_an_unknown_app_is_named(house: House) -> None:
    house.restarted(replace(house.credentials, api_key="unknownkey000000"))
    assert "KITE_API_KEY" in await refused(house, house.address())


async def test_an_account_that_may_not_use_the_app_is_told_where_that_is_set(house: House) -> None:
    house.server.faults.add(
        Kind.REFUSE, "session", status=400, error_type="UserException",
        message="The user is not enabled for the app.",
    )  # fmt: skip
    assert "client id" in await refused(house, house.address())


async def test_other_words_of_zerodha_are_passed_on(house: House) -> None:
    house.server.faults.add(
        Kind.REFUSE, "*", status=400, error_type="GeneralException", message="Accept the new terms first."
    )
    assert "Accept the new terms first." in await refused(house, house.address())


async def test_the_login_of_another_account_is_ended_and_not_taken(house: House) -> None:
    house.restarted(replace(house.credentials, user_id="ZZ9999"))
    assert "ZZ9999" in await refused(house, house.address())
    assert house.server.session.access_token is None
    assert house.drawer.text is None
    assert house.changes == []


# -- bad days -------------------------------------------------------------------------------------------

BAD_ANSWERS = [
    pytest.param(Kind.DROP, {}, id="dropped"),
    pytest.param(Kind.DOWN, {}, id="503"),
    pytest.param(Kind.HTML, {}, id="a gateway's page"),
    pytest.param(Kind.HTML, {"status": 403}, id="a page with 403"),
    pytest.param(Kind.TOO_MANY, {}, id="429"),
    pytest.param(Kind.UNTYPED, {}, id="an error without its type"),
    pytest.param(Kind.NO_CONTENT_TYPE, {}, id="no content type"),
    pytest.param(Kind.CUT, {}, id="cut"),
    pytest.param(Kind.EMPTY, {}, id="nothing in it"),
]


@pytest.mark.parametrize(("kind", "details"), BAD_ANSWERS)
async def test_an_answer_nobody_can_use_is_an_outage_and_not_a_refusal(
    house: House, kind: Kind, details: dict[str, int]
) -> None:
    address = house.address()
    house.server.faults.add(kind, **details)
    with pytest.raises(BrokerUnavailable) as caught:
        await house.session.login(address)
    assert token_of(address) not in str(caught.value)
    assert "<html" not in str(caught.value)
    assert house.changes == []


async def test_an_answer_in_drops_is_given_up_and_the_next_login_works(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 66 of faults.md: whoever waits for it holds up every other login."""
    monkeypatch.setattr(session, "PATIENCE", 0.3)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

    whole, address = house.endpoints, house.address()
    async with odd_server(drip) as url:
        house.session.endpoints = replace(whole, api=url)
        with pytest.raises(BrokerUnavailable, match="did not answer in full within"):
            await house.session.login(address)
        house.session.endpoints = whole
        assert (await house.session.login(address)).valid


async def test_with_the_network_down_the_same_address_can_be_sent_again(house: House) -> None:
    address = house.address()
    async with house.server.outage():
        with pytest.raises(
            BrokerUnavailable, match=r"could not be reached\. Send the same address once more"
        ):
            await house.session.login(address)
    assert (await house.session.login(address)).valid


async def test_a_session_that_cannot_be_stored_works_all_the_same(house: House) -> None:
    house.drawer.full = True
    assert (await house.session.login(house.address())).valid
    assert house.works(house.session.access_token)


# -- restarts -------------------------------------------------------------------------------------------


async def test_a_restart_goes_on_without_a_login(house: House) -> None:
    began = await house.session.login(house.address())
    token = house.session.access_token
    house.wall.set(14)
    assert await house.restarted().restore()
    assert house.session.state == began
    assert house.changes == [began]
    assert house.session.access_token == token
    assert await house.session.restore()
    assert house.changes == [began]
    assert house.called("session") == 1


async def test_what_is_stored_tells_nothing(house: House) -> None:
    await house.session.login(house.address())
    kept = house.drawer.text or ""
    assert house.session.access_token not in kept
    assert house.server.client.user_id not in kept


async def test_nothing_stored_is_nothing_restored(house: House) -> None:
    assert not await house.session.restore()
    assert not house.server.calls


async def test_a_session_of_yesterday_is_not_even_tried(house: House) -> None:
    await house.session.login(house.address())
    house.wall.set(6, 0, 0, days=1)
    assert not await house.restarted().restore()
    assert "06:00" in house.session.state.reason
    assert house.called("profile") == 0


async def test_a_session_that_ended_meanwhile_is_found_out(house: House) -> None:
    await house.session.login(house.address())
    house.server.faults.add(Kind.OTHER_LOGIN)
    assert not await house.restarted().restore()
    assert "another login" in house.session.state.reason
    assert [state.valid for state in house.changes] == [False]


@pytest.mark.parametrize("kind", [Kind.DOWN, Kind.HTML, Kind.DROP, Kind.UNTYPED, Kind.TOO_MANY])
async def test_a_restore_that_zerodha_does_not_answer_stays_open(house: House, kind: Kind) -> None:
    """A False would lead to a login that is not needed."""
    await house.session.login(house.address())
    house.restarted()
    house.server.faults.add(kind)
    with pytest.raises(BrokerUnavailable):
        await house.session.restore()
    assert await house.session.restore()


@pytest.mark.parametrize(
    "damage", ["cut", "flipped", "nonsense", "empty", "another secret", "another version"]
)
async def test_a_damaged_or_foreign_store_needs_a_login_and_no_more(house: House, damage: str) -> None:
    await house.session.login(house.address())
    text = house.drawer.text or ""
    credentials = house.credentials
    match damage:
        case "cut":
            house.drawer.text = text[:-9]
        case "flipped":
            house.drawer.text = text[:50] + ("A" if text[50] != "A" else "B") + text[51:]
        case "nonsense":
            house.drawer.text = "₹ nonsense"
        case "empty":
            house.drawer.text = ""
        case "another secret":
            credentials = replace(credentials, api_secret="renewed")  # noqa: S106 - made up
        case "another version":
            house.drawer.text = house.session._vault.encrypt('{"token": "of a version to come"}')
    assert not await house.restarted(credentials).restore()
    assert house.called("profile") == 0
    house.restarted(KiteCredentials(house.server.client.api_key, house.server.client.api_secret))
    assert (await house.session.login(house.address())).valid


async def test_a_session_of_another_account_than_the_settings_name_is_not_restored(house: House) -> None:
    await house.session.login(house.address())
    assert not await house.restarted(replace(house.credentials, user_id="ZZ9999")).restore()
    assert "ZZ9999" in house.session.state.reason


# -- ends -----------------------------------------------------------------------------------------------


async def test_at_six_it_is_over_and_told_once(house: House) -> None:
    await house.session.login(house.address())
    house.wall.set(5, 59, 59, days=1)
    assert house.session.access_token
    house.wall.set(6, 0, 0)
    with pytest.raises(LoginNeeded, match="06:00"):
        _ = house.session.access_token
    assert not house.session.state.valid
    house.session.lost("Incorrect `api_key` or `access_token`.")
    assert [state.valid for state in house.changes] == [True, False]


async def test_another_login_ends_it_with_one_change_however_many_calls_find_out(house: House) -> None:
    await house.session.login(house.address())
    house.server.faults.add(Kind.OTHER_LOGIN)
    for _ in range(3):
        house.session.lost("Incorrect `api_key` or `access_token`.")
    assert [state.valid for state in house.changes] == [True, False]
    reason = house.session.state.reason
    assert "another login" in reason
    assert "Incorrect `api_key`" in reason
    with pytest.raises(LoginNeeded, match="another login"):
        _ = house.session.access_token


async def test_late_news_of_an_older_token_do_not_end_a_newer_session(house: House) -> None:
    await house.session.login(house.address())
    older = house.session.access_token
    await house.session.login(house.address())
    house.session.lost("Incorrect `api_key` or `access_token`.", token=older)
    assert house.session.state.valid
    house.session.lost("Incorrect `api_key` or `access_token`.", token=house.session.access_token)
    assert not house.session.state.valid


async def test_a_reason_with_the_token_in_it_is_told_without(house: House) -> None:
    await house.session.login(house.address())
    token = house.session.access_token
    house.session.lost(f"403 for wss://x?access_token={token}")
    assert token not in house.session.state.reason


async def test_a_logout_ends_the_session_at_zerodha_and_here(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await house.session.login(house.address())
    token = house.session.access_token
    await house.session.logout()
    assert not house.works(token)
    assert [state.valid for state in house.changes] == [True, False]
    assert token not in caplog.text
    assert not await house.restarted().restore()


async def test_a_second_logout_is_no_news(house: House) -> None:
    await house.session.login(house.address())
    await house.session.logout()
    await house.session.logout()
    assert [state.valid for state in house.changes] == [True, False]


async def test_a_logout_of_what_is_over_already_is_no_fault(house: House) -> None:
    await house.session.logout()
    await house.session.login(house.address())
    house.server.faults.add(Kind.KILL_TOKEN)
    await house.session.logout()
    assert not house.session.state.valid


async def test_a_logout_without_a_network_forgets_the_token_and_says_what_is_left(house: House) -> None:
    await house.session.login(house.address())
    token = house.session.access_token
    async with house.server.outage():
        with pytest.raises(BrokerUnavailable, match="could not end it at Zerodha") as caught:
            await house.session.logout()
    assert token not in str(caught.value)
    assert not house.session.state.valid
    assert not await house.restarted().restore()


# -- settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"api": "http://api.kite.trade"}, "KITE_API_URL must begin with https"),
        ({"api": "https://sandbox.kite.trade/oms"}, "KITE_API_URL must be a host"),
        ({"login": "kite.zerodha.com"}, "KITE_LOGIN_URL must be like"),
        ({"stream": "https://ws.kite.trade"}, "KITE_STREAM_URL must be like wss"),
    ],
)
def test_addresses_that_would_leak_or_mislead_are_refused(given: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        KiteEndpoints(**given)


def test_a_slash_too_many_is_forgiven() -> None:
    assert KiteEndpoints(api="https://api.kite.trade/").api == "https://api.kite.trade"


def test_without_key_and_secret_there_is_no_session() -> None:
    with pytest.raises(InvalidInput, match="KITE_API_KEY and KITE_API_SECRET"):
        KiteCredentials("", "")
