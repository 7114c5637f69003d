"""Logging in to the local Kite: pages, one-time codes, tokens and their ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import pytest_asyncio
from kiteconnect import exceptions as ex

from sandbox.kite import Kind
from sandbox.kite.totp import code_at
from tests.sandbox.kite_seat import Seat, seated


@pytest_asyncio.fixture
async def seat() -> AsyncIterator[Seat]:
    async with seated() as seat:
        yield seat


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


class Visitor:
    """The steps a login program takes, redirects followed by hand."""

    def __init__(self, seat: Seat, browser: aiohttp.ClientSession) -> None:
        self.seat, self.client, self.browser, self.root = seat, seat.server.client, browser, seat.server.url

    async def post(self, path: str, **form: str) -> tuple[int, dict]:
        async with self.browser.post(self.root + path, data=form) as answer:
            return answer.status, await answer.json()

    async def password(self, password: str | None = None) -> tuple[int, dict]:
        return await self.post(
            "/api/login", user_id=self.client.user_id, password=password or self.client.password
        )

    async def twofa(self, request_id: str, code: str | None = None, kind: str = "totp") -> tuple[int, dict]:
        value = code or code_at(self.client.totp_secret, self.seat.wall.at)
        return await self.post(
            "/api/twofa",
            user_id=self.client.user_id,
            request_id=request_id,
            twofa_value=value,
            twofa_type=kind,
        )

    async def get_in(self) -> None:
        _, body = await self.password()
        status, _ = await self.twofa(body["data"]["request_id"], kind=body["data"]["twofa_type"])
        assert status == 200

    async def walk(self, extra: str = "") -> list[str]:
        """Every Location from the login page on, the app's own address last; it is not visited."""
        url, seen = f"{self.root}/connect/login?v=3&api_key={self.client.api_key}{extra}", []
        while url.startswith(self.root):
            async with self.browser.get(url, allow_redirects=False) as answer:
                if answer.status != 302:
                    seen.append(await answer.text())
                    return seen
                place = answer.headers["Location"]
                url = place if place.startswith("http") else self.root + place
                seen.append(url)
        return seen


@pytest.fixture
def visitor(seat: Seat, browser: aiohttp.ClientSession) -> Visitor:
    return Visitor(seat, browser)


def token_in(url: str) -> str:
    return parse_qs(urlsplit(url).query)["request_token"][0]


async def test_a_login_with_a_one_time_code_ends_at_the_apps_address_with_a_token_that_works(
    seat: Seat, visitor: Visitor
) -> None:
    await visitor.get_in()
    *way, callback = await visitor.walk("&redirect_params=desk%3Dmunim")
    assert any("/connect/finish" in place for place in way)
    query = parse_qs(urlsplit(callback).query)
    assert query["status"] == ["success"]
    assert query["desk"] == ["munim"]
    details = await seat.call(
        "generate_session", token_in(callback), api_secret=seat.server.client.api_secret
    )
    assert details["user_id"] == seat.server.client.user_id
    assert details["login_time"] == datetime(2026, 11, 23, 10, 0)  # noqa: DTZ001 - the SDK gives naive times
    assert (await seat.call("profile"))["broker"] == "ZERODHA"


async def test_without_a_login_the_way_ends_at_the_login_page(visitor: Visitor) -> None:
    *_, page = await visitor.walk()
    assert "login" in page
    assert "request_token" not in page


async def test_an_app_that_was_never_authorised_ends_at_the_consent_page(
    seat: Seat, visitor: Visitor
) -> None:
    seat.server.faults.add(Kind.CONSENT)
    await visitor.get_in()
    *way, page = await visitor.walk()
    assert "/connect/authorize" in way[-1]
    assert "Authorise" in page
    seat.server.faults.clear()
    assert token_in((await visitor.walk())[-1])


async def test_the_login_pages_have_bad_days_too(seat: Seat, visitor: Visitor) -> None:
    seat.server.faults.add(Kind.DOWN, "login.twofa")
    _, body = await visitor.password()
    assert (await visitor.twofa(body["data"]["request_id"]))[0] == 503
    assert (await visitor.twofa(body["data"]["request_id"]))[0] == 200
    assert len(seat.server.called("login.twofa")) == 2


async def test_a_wrong_password_and_an_unknown_app_are_refused(visitor: Visitor) -> None:
    status, body = await visitor.password("guess")
    assert (status, body["error_type"], body["data"]) == (403, "UserException", None)
    visitor.client = replace(visitor.client, api_key="another")
    assert "Invalid `api_key`" in (await visitor.walk())[-1]


async def test_a_wrong_code_counts_down_and_the_last_one_locks_the_account(
    seat: Seat, visitor: Visitor
) -> None:
    _, body = await visitor.password()
    request_id = body["data"]["request_id"]
    right = code_at(seat.server.client.totp_secret, seat.wall.at)
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    for left in (4, 3, 2, 1, 0):
        status, body = await visitor.twofa(request_id, wrong)
        assert (status, body["error_type"], body["message"]) == (403, "TwoFAException", "Invalid TOTP")
        assert body["data"]["attempts_remaining"] == left
    status, body = await visitor.twofa(request_id, right)
    assert (status, body["error_type"]) == (403, "UserException")
    assert "locked" in (await visitor.password())[1]["message"]


async def test_a_code_opens_once_and_only_near_its_time(seat: Seat, visitor: Visitor) -> None:
    await visitor.get_in()
    _, body = await visitor.password()
    used = await visitor.twofa(body["data"]["request_id"])
    assert used[0] == 403
    old = code_at(seat.server.client.totp_secret, seat.wall.at - timedelta(minutes=5))
    assert (await visitor.twofa(body["data"]["request_id"], old))[0] == 403
    seat.wait(30)
    assert (await visitor.twofa(body["data"]["request_id"]))[0] == 200


async def test_the_second_factor_must_be_the_kind_that_was_offered(visitor: Visitor) -> None:
    _, body = await visitor.password()
    assert (await visitor.twofa(body["data"]["request_id"], kind="app_code"))[0] == 400
    assert (await visitor.twofa("another"))[0] == 400


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (2000000000, "279037")],
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # noqa: S105 - the RFC's "12345678901234567890"
    assert code_at(secret, datetime.fromtimestamp(seconds, UTC)) == code


async def exchange(seat: Seat, token: str, secret: str | None = None) -> object:
    return await seat.call("generate_session", token, api_secret=secret or seat.server.client.api_secret)


async def test_a_request_token_is_spent_by_its_first_use_and_dies_after_minutes(seat: Seat) -> None:
    session = seat.server.session
    used = session.new_request_token()
    await exchange(seat, used)
    with pytest.raises(ex.TokenException, match="Token is invalid or has expired"):
        await exchange(seat, used)
    late = session.new_request_token()
    seat.wait(session.request_token_life)
    with pytest.raises(ex.TokenException):
        await exchange(seat, late)


@pytest.mark.parametrize("kind", [ex.TokenException, ex.InputException])
async def test_a_wrong_secret_burns_the_request_token(seat: Seat, kind: type[Exception]) -> None:
    status = 403 if kind is ex.TokenException else 400
    seat.server.session.checksum_error = (status, kind.__name__)
    token = seat.server.session.new_request_token()
    with pytest.raises(kind, match="Invalid `checksum`") as caught:
        await exchange(seat, token, "guess")
    assert caught.value.code == status
    with pytest.raises(ex.TokenException):
        await exchange(seat, token)


async def test_another_login_a_logout_and_six_in_the_morning_end_a_token(seat: Seat) -> None:
    first = seat.kite.access_token
    await exchange(seat, seat.server.session.new_request_token())
    second, seat.kite.access_token = seat.kite.access_token, first
    with pytest.raises(ex.TokenException, match="Incorrect `api_key` or `access_token`") as caught:
        await seat.call("profile")
    assert caught.value.code == 403
    seat.kite.access_token = second
    seat.wall.at = seat.wall.at.replace(hour=5, minute=59) + timedelta(days=1)
    await seat.call("profile")
    seat.wait(60)
    with pytest.raises(ex.TokenException):
        await seat.call("profile")
    seat.kite.access_token = seat.server.grant_token()
    assert await seat.call("invalidate_access_token") is True
    with pytest.raises(ex.TokenException):
        await seat.call("profile")


async def test_the_sessions_expiry_hook_of_the_client_fires(seat: Seat) -> None:
    fired = []
    seat.kite.set_session_expiry_hook(lambda: fired.append(True))
    seat.server.faults.add(Kind.KILL_TOKEN)
    with pytest.raises(ex.TokenException):
        await seat.call("orders")
    assert fired == [True]


async def test_refresh_tokens_are_not_for_individuals(seat: Seat) -> None:
    with pytest.raises(ex.TokenException):
        await seat.call("renew_access_token", "anything", api_secret=seat.server.client.api_secret)
