"""Settings: one reading, every fault at once, nothing misspelt that silently does not hold."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from trader.domain.errors import SettingsError
from trader.service.settings import Market, read_settings

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "123456789:" + "AbCdEfGhIjKlMnOpQrStUvWxYz012345678"


def test_nothing_set_is_a_paper_desk_in_the_terminal() -> None:
    settings = read_settings({})
    assert settings.market is Market.SIMULATED
    assert settings.bot_token == ""
    assert settings.limits.capital == Decimal(100_000)
    assert settings.limits.daily_loss == Decimal(3000)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("MARKET", "moon", "expected simulated, replay or zerodha"),
        ("TRADING", "live", "live needs MARKET=zerodha"),
        ("TRADING", "real", "expected paper or live"),
        ("KITE_API_KEI", "x", "did you mean KITE_API_KEY?"),
        ("KITE_PASSWORD", "secret", "go together"),
        ("KITE_TOTP_SECRET", "secret!", "base32"),
        ("OWNER_TOTP_SECRET", "123", "base32"),
        ("KITE_STREAM_URL", "https://x", "ws(s)"),
        ("KITE_LOGIN_AT", "early", "time like"),
        ("KITE_LOGIN_AT", "08:10Z", "time like"),
        ("KITE_LOGIN_AT", "05:59", "06:00 or later"),
        ("KITE_PROXY", "host:3128", "http://user:password@host:3128"),
        ("KITE_PROXY", "http://host:port", "http://user:password@host:3128"),
        ("KITE_STATIC_IP", "2001:db8::7", "IPv4"),
        ("OWNER_TOTP", "x", "did you mean OWNER_TOTP_SECRET?"),
        ("KITE_RECORD", "maybe", "yes or no"),
        ("REPLAY_SPEED", "fast", "or max"),
        ("REPLAY_SPEED", "-1", "above 0"),
        ("RISK_CAPITAL", "lots", "expected a number"),
        ("RISK_CAPITAL", "nan", "expected 1000"),
        ("RISK_CAPITAL", "५००००", "digits 0 to 9"),
        ("RISK_CAPITAL", "50_000", "digits 0 to 9"),
        ("RISK_MAX_DAILY_LOSS", "3%", "expected a number, was '3%'"),
        ("RISK_PER_TRADE_PCT", "2.5", "to 2"),
        ("RISK_PER_TRADE_PCT", "5%", "to 2, was 5%"),
        ("RISK_ORDERS_PER_SECOND", "11", "to 10"),
        ("RISK_MAX_OPEN_POSITIONS", "2.5", "whole number"),
        ("RISK_MAX_DAILY_LOS", "100", "did you mean RISK_MAX_DAILY_LOSS?"),
        ("TELEGRAM_OWNER_IDS", "@me", "numeric user ids"),
        ("TELEGRAM_OWNER_IDS", "٤٢", "numeric user ids"),
        ("TELEGRAM_BOT_TOKEN", "secret", "@BotFather"),
        ("TELEGRAM_API_URL", "ftp://x", "http(s)"),
        ("CLOCK_START", "tomorrow", "ISO time"),
    ],
)
def test_a_fault_names_its_setting_and_what_was_expected(name: str, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings({name: text})
    fault = next(f for f in refused.value.faults if f.startswith(name))
    assert says in fault


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("MARKETS", "MARKET"),
        ("MAKRET", "MARKET"),
        ("DATADIR", "DATA_DIR"),
        ("DATA_DUR", "DATA_DIR"),
    ],
)
def test_a_name_misspelt_in_our_own_file_is_told_and_in_the_environment_it_may_be_anybodys(
    name: str, meant: str
) -> None:
    with pytest.raises(SettingsError, match=f"{name}: no such setting; did you mean {meant}?"):
        read_settings({name: "x"}, [name])
    assert read_settings({name: "x"}) == read_settings({})


def test_another_programs_name_may_stand_in_our_file() -> None:
    of_the_server = dict.fromkeys(("DATABASE_USER", "DATABASE_PORT", "DATABASE_PASSWORD"), "x")
    others = {"POSTGRES_PASSWORD": "x", "TEST_DATABASE_URL": "x", "TZ": "Asia/Kolkata", **of_the_server}
    assert read_settings(others, others) == read_settings({})


@pytest.mark.parametrize(
    "address",
    [
        "postgres://munim:lEd/ger+7@host/name",
        "postgresql+psycopg://host/name?user=munim&password=lEd/ger%2B7",
        "postgres://munim:lEd/ger%2B7@host:5432/name?sslmode=require",
    ],
)
def test_the_ledgers_password_is_found_wherever_an_address_may_have_it(address: str) -> None:
    assert "lEd/ger+7" in read_settings({"DATABASE_URL": address}).secrets


def test_a_proxy_that_cannot_be_meant_is_not_repeated_for_it_may_hold_a_password() -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings({"KITE_PROXY": "me:hunter2222@host:3128"})
    assert "hunter2222" not in str(refused.value)


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings({"MARKET": "x", "RISK_CAPITAL": "y", "REPLAY_SPEED": "z"})
    assert len(refused.value.faults) == 3


def test_a_token_without_an_owner_is_refused() -> None:
    with pytest.raises(SettingsError, match="TELEGRAM_OWNER_IDS"):
        read_settings({"TELEGRAM_BOT_TOKEN": TOKEN})


def test_a_user_alone_says_who_may_log_in_by_link() -> None:
    kite = read_settings({"KITE_USER_ID": "AB1234"}).kite
    assert (kite.user_id, kite.password, kite.totp_secret) == ("AB1234", "", "")


def test_a_replay_needs_a_path() -> None:
    with pytest.raises(SettingsError, match="REPLAY_PATH"):
        read_settings({"MARKET": "replay"})


def test_the_token_does_not_show_itself() -> None:
    settings = read_settings({"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_OWNER_IDS": "42"})
    assert TOKEN not in repr(settings)
    assert TOKEN not in repr(settings.bot_token)
    assert settings.secrets == (TOKEN,)


def test_every_secret_that_is_set_is_known_to_the_log_and_shown_by_nothing() -> None:
    given = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "OWNER_TOTP_SECRET": "OWNEROWNEROWNER2",
        "KITE_API_SECRET": "the-api-secret",
        "KITE_PASSWORD": "the-kite-password",
        "KITE_TOTP_SECRET": "KITEKITEKITEKITE",
        "KITE_PROXY": "http://me:the-proxy-password@proxy.example:3128",
    }
    more = {"TELEGRAM_OWNER_IDS": "42", "KITE_USER_ID": "AB1234", "KITE_API_KEY": "key"}
    ledger = "postgres://munim:the%2Fledger-password@host/name"
    settings = read_settings({**given, **more, "DATABASE_URL": ledger})
    assert set(settings.secrets) == {*given.values(), "the%2Fledger-password", "the/ledger-password"}
    assert not [secret for secret in settings.secrets if secret in repr(settings)]
    assert read_settings({"DATABASE_URL": "http://[half"}).secrets == ()


@pytest.mark.parametrize("text", ["1.5", "1.5%", "1.5 %"])
def test_a_percentage_may_carry_its_sign(text: str) -> None:
    assert read_settings({"RISK_PER_TRADE_PCT": text}).limits.risk_per_trade_pct == Decimal("1.5")


def test_the_tighter_daily_loss_wins() -> None:
    by_percent = read_settings({"RISK_MAX_DAILY_LOSS": "5000", "RISK_MAX_DAILY_LOSS_PCT": "1"})
    assert by_percent.limits.daily_loss == Decimal(1000)


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    example = dict(
        re.match(r"([A-Z_]+)=(.*)", line).groups() for line in lines if re.match(r"[A-Z_]+=", line)
    )  # type: ignore[union-attr] # matched just before
    source = (ROOT / "trader" / "service" / "settings.py").read_text()
    known = set(re.findall(r'read\.(?:take|number|count)\("([A-Z_]+)"', source))
    assert set(example) == known
    assert read_settings(example) == read_settings({})
