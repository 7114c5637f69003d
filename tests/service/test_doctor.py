"""The doctor finds what would be in the desk's way, says what to do, and changes nothing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pyotp
import pytest
from aiohttp import web

from storage.engines import sqlite_url
from storage.ledger import SqlLedger
from trader.domain.errors import LedgerError
from trader.service.doctor import Finding, examined
from trader.service.lock import FileLock
from trader.service.pairing import SHOWN, new_secret, shown_once
from trader.service.settings import Settings, read_settings

TOKEN = "7012345678:doctor-0123456789-abcdefghijklmnopq"  # noqa: S105 - opens nothing
OWNER = 4711
Answers = Callable[[web.Request], web.Response]


@asynccontextmanager
async def outside(answers: Answers) -> AsyncIterator[str]:
    """Everything that is not this machine, at one address."""

    async def answer(request: web.Request) -> web.Response:
        return answers(request)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def in_order(request: web.Request) -> web.Response:
    path = request.path
    if path == f"/bot{TOKEN}/getMe":
        return web.json_response({"ok": True, "result": {"id": 1, "username": "munim_bot"}})
    if path == f"/bot{TOKEN}/getChat":
        return web.json_response({"ok": True, "result": {"id": OWNER}})
    if path == "/address":
        return web.Response(text="203.0.113.7\n")
    return web.Response(text="", headers={"Date": format_datetime(datetime.now(UTC), usegmt=True)})


async def no_ledger() -> str:
    return "none yet"


async def looked(
    settings: Settings,
    address: str = "",
    ledger: Callable[[], Awaitable[str]] = no_ledger,
    secrets: Path = Path("nowhere"),
) -> dict[str, Finding]:
    """The last word on each name."""
    findings = examined(settings, secrets, ledger, teller=f"{address}/address")
    return {found.name: found async for found in findings}


def live(folder: Path, address: str, **more: str) -> Settings:
    return read_settings(
        {
            "DATA_DIR": str(folder), "MARKET": "zerodha", "TRADING": "live", "KITE_API_KEY": "key",
            "KITE_API_SECRET": "secret-of-nobody", "KITE_API_URL": address, "KITE_LOGIN_URL": address,
            "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_OWNER_IDS": str(OWNER), "TELEGRAM_API_URL": address,
            "KITE_STATIC_IP": "203.0.113.7", "OWNER_TOTP_SECRET": pyotp.random_base32(),
        } | more
    )  # fmt: skip


async def test_a_live_desk_in_order_has_nothing_in_its_way(tmp_path: Path) -> None:
    async with outside(in_order) as address:
        found = await looked(live(tmp_path, address), address)
    assert [one for one in found.values() if one.fine is False] == []
    assert str(found["Telegram"]) == "✓ Telegram: @munim_bot answers"
    assert str(found["Address"]) == "✓ Address: 203.0.113.7"
    assert str(found["Login"]) == "· Login: by link: /login each morning"


async def test_a_paper_desk_needs_nothing_from_outside(tmp_path: Path) -> None:
    found = await looked(read_settings({"DATA_DIR": str(tmp_path)}))
    assert list(found) == ["Settings", ".env", "Disk", "Ledger", "Telegram"]
    assert [one for one in found.values() if one.fine is False] == []
    assert os.listdir(tmp_path) == [], "nothing is left behind"  # noqa: PTH208 - a list of names


async def test_a_data_folder_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    found = await looked(read_settings({"DATA_DIR": str(tmp_path / "not" / "yet")}))
    assert found["Disk"].fine is None
    assert "not/yet is not there yet, the first start makes it" in found["Disk"].words
    (tmp_path / "file").touch()
    found = await looked(read_settings({"DATA_DIR": str(tmp_path / "file" / "data")}))
    assert found["Disk"].fine is False
    assert str(found["Disk"]).endswith(f"/data cannot be made: {tmp_path / 'file'} is not ours to write to")
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - a list of names


def refused(request: web.Request) -> web.Response:
    """A token nobody knows, a clock of a minute ago, an address that is not ours."""
    if request.path.startswith("/bot"):
        return web.json_response({"ok": False, "error_code": 401, "description": "Unauthorized"}, status=401)
    if request.path == "/address":
        return web.Response(text="198.51.100.1")
    late = datetime.now(UTC) - timedelta(minutes=1)
    return web.Response(text="", headers={"Date": format_datetime(late, usegmt=True)})


async def test_what_is_wrong_is_named_with_its_cure_and_no_secret(tmp_path: Path) -> None:
    secrets = tmp_path / ".env"
    secrets.write_text("KITE_API_SECRET=secret-of-nobody")
    secrets.chmod(0o644)
    async with outside(refused) as address:
        settings = live(tmp_path, address, OWNER_TOTP_SECRET="")
        found = await looked(settings, address, secrets=secrets)
    said = {name: one.words for name, one in found.items() if one.fine is False}
    assert said.keys() == {".env", "Telegram", "Zerodha", "Address", "Owner's codes"}
    assert f"chmod 600 {secrets}" in said[".env"]
    assert "@BotFather" in said["Telegram"]
    assert "s ahead of theirs: timedatectl" in said["Zerodha"]
    assert said["Address"] == "orders leave from 198.51.100.1, KITE_STATIC_IP is another"
    assert not any(secret in " ".join(said.values()) for secret in settings.secrets)


async def test_an_owner_the_bot_cannot_write_to_is_told_to_press_start(tmp_path: Path) -> None:
    def no_chat(request: web.Request) -> web.Response:
        if request.path.endswith("/getChat"):
            words = {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}
            return web.json_response(words, status=400)
        return in_order(request)

    async with outside(no_chat) as address:
        found = await looked(live(tmp_path, address), address)
    assert found["Telegram"].fine is False
    assert "4711 cannot be written to: open t.me/munim_bot" in found["Telegram"].words


async def test_nobody_outside_is_said_without_the_token(tmp_path: Path) -> None:
    found = await looked(live(tmp_path, "http://127.0.0.1:9"), "http://127.0.0.1:9")
    assert {name for name, one in found.items() if one.fine is False} == {"Telegram", "Zerodha", "Address"}
    assert all("no connection" in found[name].words for name in ("Telegram", "Zerodha", "Address"))
    assert TOKEN not in str(list(found.values()))


async def test_the_ledger_is_looked_at_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "munim.db"
    ledger = SqlLedger(sqlite_url(path))
    assert await ledger.standing() == "none yet; the first start makes it"
    assert not path.exists()
    await ledger.open()
    before = path.read_bytes()
    assert (await ledger.standing()).startswith("whole, up to date, 0.")
    assert path.read_bytes() == before
    await ledger.close()
    path.write_bytes(b"SQLite format 3\0" + bytes(5000))
    with pytest.raises(LedgerError):
        await ledger.standing()


async def test_a_running_desk_is_no_hindrance(tmp_path: Path) -> None:
    with FileLock.of_folder(tmp_path):
        found = await looked(read_settings({"DATA_DIR": str(tmp_path)}))
    assert str(found["Ledger"]) == f"✓ Ledger: none yet; a desk is running on it (process {os.getpid()})"


def test_the_owners_code_is_shown_once_for_each_secret(tmp_path: Path) -> None:
    secret, other = pyotp.random_base32(), pyotp.random_base32()
    first = shown_once(secret, tmp_path)
    assert first.startswith("Scan this")
    assert "▄" in first
    assert shown_once(secret, tmp_path).startswith("The owner's code was shown before")
    assert shown_once(other, tmp_path).startswith("Scan this")
    assert secret not in first
    assert secret not in (tmp_path / SHOWN).read_text()


def test_a_new_secret_can_be_put_into_the_settings() -> None:
    line = new_secret().splitlines()[-1]
    name, _, value = line.partition("=")
    assert read_settings({name: value}).owner_totp == value
    assert new_secret() != new_secret()
