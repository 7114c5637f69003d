"""Logging in without a hand, against the local Kite's login pages and a few that are odder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from sandbox.kite import Kind
from tests.broker.kite_session_house import House, housed
from trader.broker.zerodha.session import KiteSession
from trader.domain.errors import BrokerUnavailable, CommitFailed, LoginNeeded

WRONG_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # noqa: S105 - the example of RFC 6238


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with housed() as house:
        house.restarted(house.own)
        yield house


async def refused(session: KiteSession) -> str:
    with pytest.raises(LoginNeeded) as caught:
        await session.login_automatically()
    assert not session.state.valid
    told = str(caught.value)
    own = session.credentials
    assert not any(secret in told for secret in {own.password, own.totp_secret, own.api_secret} - {""})
    assert caught.value.__cause__ is None
    return told


def data(**fields: Any) -> web.Response:
    return web.json_response({"status": "success", "data": fields})


def error(status: int, error_type: str, message: str, **fields: Any) -> web.Response:
    body = {"status": "error", "message": message, "error_type": error_type, "data": fields or None}
    return web.json_response(body, status=status)


FIRST = {"user_id": "AB1234", "request_id": "r1", "twofa_type": "totp", "twofa_types": ["totp", "app_code"]}
Answer = Callable[[], web.Response]


class Odd:
    """Login pages that answer as a test wants; ``forms`` is what was posted, by page."""

    def __init__(self, house: House) -> None:
        self.house, self.url = house, ""
        self.page: Answer = lambda: web.Response(text="<html></html>", content_type="text/html")
        self.password: Answer = lambda: data(**FIRST)
        self.twofa: Answer = lambda: data(profile={})
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.peers: list[object] = []

    def codes(self) -> list[dict[str, str]]:
        return [form for page, form in self.forms if page == "/api/twofa"]

    async def serve(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append((request.path, form))
        self.peers.append(request.transport and request.transport.get_extra_info("peername"))
        answers = {"/api/login": self.password, "/api/twofa": self.twofa}
        return answers.get(request.path, self.page)()

    def session(self) -> KiteSession:
        return self.house.restarted(self.house.own, login=self.url)


@pytest_asyncio.fixture
async def odd(house: House) -> AsyncIterator[Odd]:
    odd, app = Odd(house), web.Application()
    app.router.add_route("*", "/{rest:.*}", odd.serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    odd.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield odd
    await runner.cleanup()


# -- the good day ---------------------------------------------------------------------------------------


async def test_password_and_code_begin_a_session(house: House) -> None:
    state = await house.session.login_automatically()
    assert state.valid
    assert state.user_id == "AB1234"
    assert house.works(house.session.access_token)
    assert house.changes == [state]
    assert house.server.login.code_attempts == 1
    assert await house.restarted().restore()


async def test_a_session_that_is_valid_is_not_thrown_out_by_another_login(house: House) -> None:
    first, second = await asyncio.gather(
        house.session.login_automatically(), house.session.login_automatically()
    )
    assert first == second
    assert house.called("login.password") == 1
    assert house.works(house.session.access_token)


async def test_a_stored_session_is_taken_up_before_a_login_would_end_it(house: House) -> None:
    """As after a start at which Zerodha did not answer."""
    await house.session.login_automatically()
    house.restarted()
    async with house.server.outage():
        for ask in (house.session.restore, house.session.login_automatically):
            with pytest.raises(BrokerUnavailable):
                await ask()
    assert (await house.session.login_automatically()).valid
    assert house.called("login.password") == 1


async def test_a_session_that_was_lost_is_not_taken_up_again(house: House) -> None:
    """A refused stream and a profile that works would go on for ever."""
    await house.session.login_automatically()
    house.session.lost("The stream was refused.")
    assert not await house.session.restore()
    assert (await house.session.login_automatically()).valid
    assert house.called("login.password") == 2


@pytest.mark.parametrize(
    ("second", "waits"), [(0.0, False), (26.9, False), (27.5, True), (29.9, True)], ids=str
)
async def test_a_code_about_to_end_is_waited_out(house: House, second: float, waits: bool) -> None:
    house.wall.set(8, 0, second)
    await house.session.login_automatically()
    assert bool(house.wall.naps) is waits
    assert house.server.login.failures == 0


async def test_a_second_login_within_the_same_half_minute_waits_for_another_code(house: House) -> None:
    await house.session.login_automatically()
    await house.session.logout()
    await house.session.login_automatically()
    assert house.wall.naps == [pytest.approx(20.1)]
    assert house.server.login.failures == 0


async def test_not_even_a_restart_sends_a_code_again(house: House) -> None:
    await house.session.login_automatically()
    await house.session.logout()
    await house.restarted().login_automatically()
    assert house.wall.naps == [pytest.approx(20.1)]
    assert house.server.login.failures == 0


async def test_codes_keep_their_zeros_and_the_kind_of_factor_is_echoed(odd: Odd) -> None:
    odd.password = lambda: data(**(FIRST | {"twofa_type": "external_totp"}))
    odd.house.wall.at = await moment_with_leading_zero(odd.house)
    await refused(odd.session())  # these pages lead nowhere
    [form] = odd.codes()
    assert form["twofa_value"].startswith("0")
    assert len(form["twofa_value"]) == 6
    assert (form["twofa_type"], form["request_id"], form["user_id"]) == ("external_totp", "r1", "AB1234")


async def moment_with_leading_zero(house: House) -> Any:
    from sandbox.kite.totp import code_at

    at = house.wall.at.replace(second=5)
    while not code_at(house.own.totp_secret, at).startswith("0"):
        at += timedelta(seconds=30)
    return at


async def test_the_apps_own_address_is_never_visited(odd: Odd) -> None:
    token = odd.house.server.session.new_request_token()
    elsewhere = f"{odd.url}/callback?request_token={token}&status=success"

    def page() -> web.Response:
        if not odd.codes():
            return web.Response(text="<html></html>", content_type="text/html")
        return web.Response(status=302, headers={"Location": elsewhere})

    odd.page = page
    assert (await odd.session().login_automatically()).valid
    assert not any(path == "/callback" for path, _ in odd.forms)


async def test_no_connection_is_kept_over_the_wait_for_a_code(odd: Odd) -> None:
    """One that the server closed meanwhile would take the code with it."""
    await refused(odd.session())
    assert len(odd.peers) == len(set(odd.peers)) >= 4


# -- wrong codes ----------------------------------------------------------------------------------------


async def test_a_wrong_code_is_followed_by_one_other_code_and_no_third_in_the_day_part(house: House) -> None:
    house.restarted(replace(house.own, totp_secret=WRONG_SECRET))
    told = await refused(house.session)
    assert "KITE_TOTP_SECRET" in told
    assert "attempt 2 this morning" in told
    assert house.server.login.code_attempts == 2
    assert house.wall.naps == [pytest.approx(20.1)]

    house.wall.set(11, 59)
    assert "this morning" in await refused(house.session)
    assert "this morning" in await refused(house.restarted())  # nor after a restart
    assert house.server.login.code_attempts == 2
    assert house.called("login.password") == 2

    house.wall.set(12)
    assert "about to lock" in await refused(house.session)
    assert house.server.login.code_attempts == 4
    house.wall.set(8, days=1)
    assert "about to lock" in await refused(house.restarted())
    assert house.server.login.code_attempts == 4
    assert house.server.login.failures < house.server.login.lock_after


async def test_four_refusals_in_a_row_are_the_last_even_where_zerodha_does_not_count_aloud(odd: Odd) -> None:
    odd.twofa = lambda: error(403, "TwoFAException", "Invalid TOTP")
    session = odd.session()
    await refused(session)
    odd.house.wall.set(12)
    await refused(session)
    odd.house.wall.set(8, days=1)
    assert "refused the last 4 logins" in await refused(odd.session())
    assert len({form["twofa_value"] for form in odd.codes()}) == len(odd.codes()) == 4


async def test_a_login_that_succeeds_ends_the_row_of_refusals(house: House) -> None:
    for days, hour in ((0, 8), (0, 13), (1, 8), (1, 13), (2, 8), (2, 13)):
        house.wall.set(hour, days=days - (house.wall.at.day - 23))
        house.server.faults.add(
            Kind.REFUSE, "login.twofa", status=403, error_type="TwoFAException", message="Invalid TOTP"
        )
        assert (await house.session.login_automatically()).valid
        await house.session.logout()


async def test_a_login_by_link_gives_the_attempts_back(house: House) -> None:
    house.restarted(replace(house.own, totp_secret=WRONG_SECRET))
    await refused(house.session)
    house.wall.set(12)
    await refused(house.session)
    house.server.login.unlock()  # as the person's own login does
    assert (await house.session.login(house.address())).valid
    await house.session.logout()
    house.wall.set(18)
    assert (await house.restarted(house.own).login_automatically()).valid


async def test_the_right_secret_may_be_tried_at_once(house: House) -> None:
    house.restarted(replace(house.own, totp_secret=WRONG_SECRET))
    await refused(house.session)
    assert (await house.restarted(house.own).login_automatically()).valid


async def test_the_last_tries_before_the_lock_are_left_to_the_owner(house: House) -> None:
    house.server.login.lock_after = 2
    house.restarted(replace(house.own, totp_secret=WRONG_SECRET))
    assert "about to lock" in await refused(house.session)
    assert house.server.login.code_attempts == 1
    house.wall.set(8, days=3)
    assert "about to lock" in await refused(house.restarted())
    assert house.server.login.code_attempts == 1


@pytest.mark.parametrize(("seconds", "side"), [(45, "45 s behind"), (-95, "95 s ahead of")])
async def test_a_clock_that_is_wrong_is_named_and_costs_one_code(odd: Odd, seconds: int, side: str) -> None:
    def wrong() -> web.Response:
        answer = error(403, "TwoFAException", "Invalid TOTP", attempts_remaining=4)
        date = (odd.house.wall.at + timedelta(seconds=seconds)).astimezone(UTC)
        answer.headers["Date"] = format_datetime(date, usegmt=True)
        return answer

    odd.twofa = wrong
    assert f"clock is {side} Zerodha's" in await refused(odd.session())
    assert len(odd.codes()) == 1


# -- other refusals -------------------------------------------------------------------------------------


async def test_a_wrong_password_is_sent_once_and_not_again_before_it_is_changed(house: House) -> None:
    house.restarted(replace(house.own, password="old"))  # noqa: S106 - made up
    assert "KITE_PASSWORD" in await refused(house.session)
    house.wall.set(8, days=2)
    assert "KITE_PASSWORD" in await refused(house.restarted())
    assert house.called("login.password") == 1
    assert house.called("login.twofa") == 0
    assert (await house.restarted(house.own).login_automatically()).valid


REFUSALS = [
    pytest.param((403, "UserException", "Your account is locked."), "locked the account", id="locked"),
    pytest.param((400, "InputException", "Invalid captcha"), "captcha", id="captcha"),
    pytest.param((403, "GeneralException", "Too many attempts"), "locked the account", id="too many"),
    pytest.param((400, "GeneralException", "Your password has expired."), "KITE_PASSWORD", id="expired"),
    pytest.param((403, "GeneralException", "Something new."), "Something new.", id="unheard of"),
]


@pytest.mark.parametrize(("answer", "sentence"), REFUSALS)
async def test_what_only_the_owner_can_settle_stops_all_tries_until_a_login_by_link(
    house: House, answer: tuple[int, str, str], sentence: str
) -> None:
    status, error_type, message = answer
    house.server.faults.add(
        Kind.REFUSE, "login.password", status=status, error_type=error_type, message=message
    )
    assert sentence in await refused(house.session)
    house.wall.set(8, days=1)
    assert sentence in await refused(house.restarted())
    assert house.called("login.password") == 1
    await house.session.login(house.address())
    await house.session.logout()
    assert (await house.session.login_automatically()).valid


async def test_a_captcha_in_an_answer_that_looks_like_success_stops_too(odd: Odd) -> None:
    odd.password = lambda: data(captcha=True, **FIRST)
    assert "captcha" in await refused(odd.session())
    assert not odd.codes()


async def test_a_lock_at_the_second_page_stops_the_second_code(house: House) -> None:
    house.server.faults.add(
        Kind.REFUSE, "login.twofa", status=403, error_type="TwoFAException", message="Account blocked"
    )
    assert "locked the account" in await refused(house.session)
    assert house.called("login.twofa") == 1


async def test_a_second_factor_on_the_phone_is_explained_and_nothing_is_sent(odd: Odd) -> None:
    odd.password = lambda: data(**(FIRST | {"twofa_type": "app_code"}))
    told = await refused(odd.session())
    assert "external TOTP" in told
    assert "app_code" in told
    assert not odd.codes()


async def test_a_login_page_that_has_changed_ends_the_login(odd: Odd) -> None:
    odd.password = lambda: data(passkey={"challenge": "…"})
    assert "has changed" in await refused(odd.session())


@pytest.mark.parametrize("where", ["in a circle", "nowhere", "at the dashboard"])
async def test_ways_that_do_not_lead_back_to_the_app_end(odd: Odd, where: str) -> None:
    place = {"in a circle": "/connect/login?again", "at the dashboard": "https://kite.invalid/dashboard"}

    def page() -> web.Response:
        if where == "nowhere" or not odd.codes():
            return web.Response(text="<html></html>", content_type="text/html")
        return web.Response(status=302, headers={"Location": place[where]})

    odd.page = page
    assert "refused the login" in await refused(odd.session())
    assert len(odd.forms) < 20


async def test_the_consent_page_is_explained_and_costs_nothing_once_it_is_done(house: House) -> None:
    fault = house.server.faults.add(Kind.CONSENT)
    assert "authorise the app once" in await refused(house.session)
    house.server.faults.remove(fault)
    assert (await house.session.login_automatically()).valid


async def test_an_account_that_is_not_the_apps_is_told_where_that_is_set(house: House) -> None:
    house.server.login.enabled_for_app = False
    assert "client id" in await refused(house.session)


async def test_an_unknown_app_is_found_out_before_a_password_is_sent(house: House) -> None:
    house.restarted(replace(house.own, api_key="unknownkey000000"))
    assert "KITE_API_KEY" in await refused(house.session)
    assert house.called("login.password") == 0


# -- settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["user_id", "password", "totp_secret"])
async def test_a_missing_setting_is_named(house: House, name: str) -> None:
    credentials = replace(house.own, **{name: ""})
    assert not credentials.automatic
    assert f"KITE_{name.upper()}" in await refused(house.restarted(credentials))
    assert not house.server.calls


@pytest.mark.parametrize("secret", ["123456", "not base32 at all, 0189", "JBSW"])
async def test_a_secret_that_is_none_is_told_without_a_try(house: House, secret: str) -> None:
    assert "KITE_TOTP_SECRET must be" in await refused(
        house.restarted(replace(house.own, totp_secret=secret))
    )
    assert not house.server.calls


# -- bad days -------------------------------------------------------------------------------------------


async def test_without_a_network_no_attempt_is_spent(house: House) -> None:
    async with house.server.outage():
        for _ in range(4):
            with pytest.raises(BrokerUnavailable, match="could not be reached"):
                await house.session.login_automatically()
    assert (await house.session.login_automatically()).valid


@pytest.mark.parametrize("page", ["login.page", "login.password", "login.twofa"])
@pytest.mark.parametrize("kind", [Kind.DOWN, Kind.HTML, Kind.UNTYPED])
async def test_what_only_a_gateway_answered_is_no_attempt(house: House, page: str, kind: Kind) -> None:
    house.server.faults.add(kind, page, times=3)
    for _ in range(3):
        with pytest.raises(BrokerUnavailable):
            await house.session.login_automatically()
    assert (await house.session.login_automatically()).valid
    assert house.server.login.failures == 0


@pytest.mark.parametrize("page", ["login.password", "login.twofa"])
async def test_a_lost_answer_counts_for_it_may_have_been_a_refusal(house: House, page: str) -> None:
    house.server.faults.add(Kind.DROP, page, times=None, accepted=True)
    for _ in range(2):
        with pytest.raises(BrokerUnavailable, match="did not answer"):
            await house.session.login_automatically()
    house.server.faults.clear()
    assert "2 times this morning" in await refused(house.restarted())
    assert house.called(page) == 2


async def test_the_way_back_is_asked_again_for_another_login_would_cost_more(house: House) -> None:
    house.server.faults.add(Kind.DOWN, "login.finish", times=2)
    assert (await house.session.login_automatically()).valid
    assert house.called("login.password") == 1


async def test_an_attempt_that_cannot_be_written_down_is_not_made_and_does_not_count(house: House) -> None:
    house.drawer.full = True
    for _ in range(5):
        with pytest.raises(CommitFailed):
            await house.session.login_automatically()
    assert house.called("login.password") == 0
    house.drawer.full = False
    assert (await house.session.login_automatically()).valid


async def test_two_programs_do_not_throw_each_other_out_all_day(house: House) -> None:
    for _ in range(2):
        await house.session.login_automatically()
        house.server.faults.add(Kind.OTHER_LOGIN)
        house.session.lost("Incorrect `api_key` or `access_token`.")
        house.wall.at += timedelta(minutes=10)
    assert "another program" in await refused(house.session)


async def test_no_secret_is_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await house.session.login_automatically()
    house.session.lost("over")
    own, token = house.own, house.server.session.access_token or "none"
    assert caplog.text
    assert not any(text in caplog.text for text in (own.password, own.totp_secret, own.api_secret, token))
