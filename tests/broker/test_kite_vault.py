"""What is kept of a session, how, and how often a login by itself may be tried."""

from __future__ import annotations

import base64
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.kite.totp import code_at
from trader.broker.zerodha.attempts import MOST_IN_A_PART, MOST_REFUSED, Attempts, day_part
from trader.broker.zerodha.record import Login, Record, end_of_token
from trader.broker.zerodha.sdk import kite_client
from trader.broker.zerodha.totp import LEAST_LEFT, STEP, check_secret, fresh_code
from trader.broker.zerodha.vault import TokenVault
from trader.domain.errors import BrokerUnavailable, InvalidInput
from trader.domain.times import IST, ist

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # noqa: S105 - "12345678901234567890" of RFC 6238
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds

# -- the vault ------------------------------------------------------------------------------------------


@given(st.text())
def test_what_was_encrypted_comes_back_and_is_not_readable(text: str) -> None:
    vault = TokenVault("thekey", "thesecret")
    hidden = vault.encrypt(text)
    assert TokenVault("thekey", "thesecret").decrypt(hidden) == text
    assert len(text) < 8 or text not in hidden
    assert hidden != vault.encrypt(text)


@pytest.mark.parametrize(("key", "secret"), [("thekey", "another"), ("another", "thesecret"), ("", "")])
def test_another_apps_text_reads_as_none(key: str, secret: str) -> None:
    assert TokenVault(key, secret).decrypt(TokenVault("thekey", "thesecret").encrypt("token")) is None


@given(st.text())
def test_any_other_text_reads_as_none(text: str) -> None:
    assert TokenVault("thekey", "thesecret").decrypt(text) is None


@given(st.data())
def test_one_changed_letter_reads_as_none(data: st.DataObject) -> None:
    vault = TokenVault("thekey", "thesecret")
    raw = bytearray(base64.urlsafe_b64decode(vault.encrypt("token")))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    assert vault.decrypt(base64.urlsafe_b64encode(bytes(raw)).decode()) is None


def test_an_upgrade_still_reads_what_the_version_before_it_wrote() -> None:
    kept = (
        "gAAAAABrAYzqAkAu-vzUfxhRnD8fdxb0q3tqSm_X9Lo9-cz6MZEqLVciS4_XOoNEg5LfHe41KjfUeRqz92CCNxJakpoEcNolHw=="
    )
    assert TokenVault("thekey", "thesecret").decrypt(kept) == "the session"


# -- the record -----------------------------------------------------------------------------------------


@given(MOMENTS, st.text(), st.integers(0, 9), st.text())
def test_a_record_comes_back_whole(since: datetime, token: str, used: int, halted: str) -> None:
    login = Login("AB1234", token, ist(since), end_of_token(since))
    record = Record(login, Attempts("2026-03-23 morning", used, 5, 1, halted, "mark"))
    assert Record.of_text(record.to_text()) == record
    assert Record.of_text(replace(record, login=None).to_text()) == replace(record, login=None)


@given(st.text())
def test_a_record_of_nonsense_is_an_empty_one(text: str) -> None:
    assert Record.of_text(text) == Record()


@pytest.mark.parametrize("text", ["null", "[]", "{}", '{"login": 1, "attempts": {}}', '{"login": null}'])
def test_a_record_of_another_shape_is_an_empty_one(text: str) -> None:
    assert Record.of_text(text) == Record()


def test_a_record_does_not_show_its_token() -> None:
    at = datetime(2026, 3, 23, 8, tzinfo=IST)
    assert "secrettoken" not in repr(Record(Login("AB1234", "secrettoken", at, at)))


@given(MOMENTS)
def test_a_token_ends_at_the_first_six_in_the_morning_after_it(since: datetime) -> None:
    end = end_of_token(since)
    assert end.timetz() == time(6, 0, tzinfo=IST)
    assert timedelta(0) < end - since <= timedelta(days=1)


# -- attempts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "minute", "part"),
    [
        (5, 59, "2026-03-22 night"), (6, 0, "2026-03-23 morning"), (11, 59, "2026-03-23 morning"),
        (12, 0, "2026-03-23 afternoon"), (18, 0, "2026-03-23 night"), (0, 30, "2026-03-22 night"),
    ],
)  # fmt: skip
def test_a_day_has_three_parts_and_the_night_is_one(hour: int, minute: int, part: str) -> None:
    assert day_part(datetime(2026, 3, 23, hour, minute, tzinfo=IST)) == part


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["in", "refused", "lost"])), max_size=60))
def test_no_run_of_luck_makes_more_attempts_than_are_safe(days: list[tuple[int, str]]) -> None:
    """``days``: minutes until the next call, and how it goes where it is allowed."""
    now, attempts = datetime(2026, 3, 23, 6, tzinfo=IST), Attempts()
    made: dict[str, int] = {}
    in_a_row = 0
    for minutes, outcome in days:
        now += timedelta(minutes=minutes)
        attempts = attempts.at(now, "mark")
        if attempts.obstacle:
            continue
        attempts = attempts.begun()
        made[day_part(now)] = made.get(day_part(now), 0) + 1
        match outcome:
            case "in":
                attempts, in_a_row = attempts.let_in(), 0
            case "refused":
                attempts, in_a_row = attempts.turned_down(), in_a_row + 1
        assert max(made.values()) <= MOST_IN_A_PART
        assert in_a_row <= MOST_REFUSED


def test_other_credentials_may_be_tried_but_do_not_unlock_the_count_of_refusals() -> None:
    now = datetime(2026, 3, 23, 8, tzinfo=IST)
    spent = (
        Attempts().at(now, "old").begun().turned_down().begun().turned_down(halted="The password is wrong.")
    )
    assert spent.at(now, "old").obstacle
    renewed = spent.at(now, "new")
    assert not renewed.obstacle
    assert renewed.refused == 2


# -- one-time codes -------------------------------------------------------------------------------------


@given(MOMENTS, st.integers(-2, 3))
def test_a_code_is_new_has_time_left_and_is_the_one_of_its_moment(at: datetime, newer: int) -> None:
    last = int(at.timestamp()) // STEP + newer
    clock = [at]

    async def sleep(seconds: float) -> None:
        clock[0] += timedelta(seconds=seconds)

    code = _run(fresh_code(RFC_SECRET, last, lambda: clock[0], sleep))
    assert code.digits == code_at(RFC_SECRET, clock[0])
    assert STEP - clock[0].timestamp() % STEP >= LEAST_LEFT
    assert code.step > last or newer > 1  # beyond one step ahead a clock was wrong, not this one
    assert (clock[0] - at).total_seconds() <= 2 * STEP + 1
    assert code.digits not in repr(code)


async def test_a_clock_that_stands_still_ends_the_wait() -> None:
    at = datetime(2026, 3, 23, 8, 0, 29, tzinfo=IST)

    async def sleep(seconds: float) -> None:
        return

    with pytest.raises(BrokerUnavailable, match="stands still"):
        await fresh_code(RFC_SECRET, 0, lambda: at, sleep)


@pytest.mark.parametrize(
    "given",
    ["gezd gnbv gy3t qojq gezd gnbv gy3t qojq", f"otpauth://totp/Kite:AB1234?secret={RFC_SECRET}&issuer=Zerodha"],
)  # fmt: skip
def test_the_secret_is_taken_as_it_is_shown(given: str) -> None:
    assert check_secret(given) == RFC_SECRET


@pytest.mark.parametrize(
    "given", ["", "123456", "GEZDGNBVGY3TQOJ1", "otpauth://totp/Kite?issuer=Zerodha", "ÄÖÜ" * 9]
)
def test_what_is_no_secret_is_refused_unread(given: str) -> None:
    with pytest.raises(InvalidInput, match="KITE_TOTP_SECRET must be") as caught:
        check_secret(given)
    assert not given or given not in str(caught.value)


def _run(work: object) -> object:
    import asyncio

    return asyncio.run(work)  # type: ignore[arg-type]  # hypothesis runs plain functions


# -- the package ----------------------------------------------------------------------------------------


def test_the_paper_desk_loads_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, trader.broker.zerodha.session\n"
        "heavy = {'kiteconnect', 'twisted', 'requests', 'aiohttp', 'cryptography', 'pyotp'}\n"
        "print(*heavy & set(sys.modules))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("proxy", ["", "http://10.0.0.1:3128"])
def test_calls_leave_by_ipv4_and_say_nothing_about_themselves(proxy: str) -> None:
    client = kite_client("key", "https://api.kite.trade", access_token="t", proxy=proxy)  # noqa: S106 - made up
    adapter = client.reqsession.get_adapter("https://api.kite.trade/orders")
    assert adapter.poolmanager.connection_pool_kw["source_address"] == ("0.0.0.0", 0)  # noqa: S104 - IPv4
    assert adapter.max_retries.total == 0
    assert client.debug is False
    assert client.proxies == ({"http": proxy, "https": proxy} if proxy else {})
    if proxy:
        way = adapter.proxy_manager_for(proxy)
        assert way.connection_pool_kw["source_address"] == ("0.0.0.0", 0)  # noqa: S104 - IPv4
    client.reqsession.close()
