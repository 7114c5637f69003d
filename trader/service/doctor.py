"""``bot.py doctor``: what would be in the desk's way, before it is started. It looks and changes nothing; a
desk may run meanwhile."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from trader.broker.zerodha.rest import ADDRESS_TELLER
from trader.broker.zerodha.totp import check_secret
from trader.domain.errors import MunimError
from trader.service.lock import FileLock
from trader.service.settings import KiteSettings, Market, Settings, Trading

if TYPE_CHECKING:
    from aiohttp import ClientSession

PATIENCE = 10.0  # seconds for an answer from outside
LEAST_SPACE = 1.0  # GB; a day's ticks take some 100 MB
SLOW_COMMIT = 0.03  # seconds; every order waits for one
MOST_SKEW = 2.0  # seconds; one-time codes live 30, and the exchange's times are compared with ours
COMMITS = 15


@dataclass(frozen=True, slots=True)
class Finding:
    """``fine`` None: worth knowing, and in nobody's way."""

    name: str
    fine: bool | None
    words: str

    def __str__(self) -> str:
        mark = {True: "✓", False: "✗", None: "·"}[self.fine]
        return f"{mark} {self.name}: {self.words}"


async def examined(
    settings: Settings,
    secrets_file: Path,
    ledger: Callable[[], Awaitable[str]],
    *,
    teller: str = ADDRESS_TELLER,
) -> AsyncIterator[Finding]:
    """One by one, as they are found. ``ledger`` says how the records stand, or raises MunimError; ``teller``
    is asked for our address."""
    from aiohttp import ClientSession, ClientTimeout

    yield Finding("Settings", None, f"market {settings.market}, trading {settings.trading}")
    yield _secrets_kept(secrets_file, settings)
    yield await asyncio.to_thread(_disk, settings.data_dir)
    yield await _ledger(settings, ledger)
    async with ClientSession(timeout=ClientTimeout(PATIENCE), trust_env=True) as web:
        async for found in _telegram(web, settings):
            yield found
        if settings.market is Market.ZERODHA:
            yield await _clock(web, settings.kite.api_url)
            yield await _address(settings.kite, teller)
            yield _login(settings.kite)
            yield _owner_codes(settings)


def _secrets_kept(file: Path, settings: Settings) -> Finding:
    if not file.exists():
        return Finding(".env", None, "none; the settings are the environment's")
    if settings.secrets and file.stat().st_mode & 0o077:
        return Finding(".env", False, f"others on this machine can read it: chmod 600 {file}")
    return Finding(".env", True, "readable by you alone" if settings.secrets else "holds no secret")


def _disk(folder: Path) -> Finding:
    if not folder.exists():
        return _to_be_made(folder)
    try:
        free = shutil.disk_usage(folder).free / 1e9
        took = _commit_seconds(folder)
    except (OSError, sqlite3.Error) as fault:
        return Finding("Disk", False, f"{folder} cannot be written: {fault}")
    words = f"{free:,.0f} GB free, a record is safe in {took * 1000:.1f} ms"
    if free < LEAST_SPACE:
        return Finding("Disk", False, f"{free:.1f} GB free in {folder}: make space")
    if took > SLOW_COMMIT:
        return Finding("Disk", False, f"{words}: every order waits for that. Use a local disk")
    return Finding("Disk", True, words)


def _to_be_made(folder: Path) -> Finding:
    """Of a folder the first start will make; misspelt, it must not stand there afterwards."""
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        return Finding("Disk", False, f"{folder} cannot be made: {above} is not ours to write to")
    free = shutil.disk_usage(above).free / 1e9
    if free < LEAST_SPACE:
        return Finding("Disk", False, f"{free:.1f} GB free in {above}: make space")
    return Finding("Disk", None, f"{folder} is not there yet, the first start makes it; {free:,.0f} GB free")


def _commit_seconds(folder: Path) -> float:
    """The median of a few commits as the ledger makes them."""
    taken = []
    with TemporaryDirectory(dir=folder, prefix="doctor-") as aside:
        connection = sqlite3.connect(Path(aside) / "commits.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE row (text TEXT)")
        for _ in range(COMMITS):
            began = time.perf_counter()
            connection.execute("INSERT INTO row VALUES (?)", ("x" * 200,))
            taken.append(time.perf_counter() - began)
        connection.close()
    return statistics.median(taken)


async def _ledger(settings: Settings, ledger: Callable[[], Awaitable[str]]) -> Finding:
    process = FileLock.of_folder(settings.data_dir).holder
    running = "" if process is None else f"; a desk is running on it (process {process})"
    try:
        return Finding("Ledger", True, await ledger() + running)
    except MunimError as fault:
        return Finding("Ledger", False, str(fault))


async def _telegram(web: ClientSession, settings: Settings) -> AsyncIterator[Finding]:
    if not settings.bot_token:
        yield Finding("Telegram", None, "no TELEGRAM_BOT_TOKEN: the chat is in the terminal")
        return
    answer = await _asked(web, settings, "getMe")
    if isinstance(answer, str):
        yield Finding("Telegram", False, answer)
        return
    name = answer.get("username", "?")
    yield Finding("Telegram", True, f"@{name} answers")
    for owner in (*settings.owner_ids, *settings.viewer_ids):
        known = await _asked(web, settings, "getChat", chat_id=owner)
        if isinstance(known, str):
            why = f"{owner} cannot be written to: open t.me/{name} from that account and press Start"
            yield Finding("Telegram", False, why)


async def _asked(web: ClientSession, settings: Settings, method: str, **terms: int) -> dict[str, str] | str:
    """The result, or in words why there is none; never with the address, which holds the token."""
    address = f"{settings.telegram_api_url.rstrip('/')}/bot{settings.bot_token}/{method}"
    try:
        async with web.post(address, json=terms) as response:
            answer = await response.json(content_type=None)
    except Exception as fault:
        return f"{settings.telegram_api_url} cannot be reached: {_why(fault)}"
    if isinstance(answer, dict) and answer.get("ok") and isinstance(answer.get("result"), dict):
        result: dict[str, str] = answer["result"]
        return result
    if response.status in (401, 404):
        return "the bot's token is not known: copy it from @BotFather into TELEGRAM_BOT_TOKEN"
    return f"it answers {response.status} to {method}"


async def _clock(web: ClientSession, address: str) -> Finding:
    try:
        async with web.get(address) as response:
            theirs = parsedate_to_datetime(response.headers["Date"])
    except Exception as fault:
        return Finding("Zerodha", False, f"{address} cannot be reached: {_why(fault)}")
    skew = (theirs - datetime.now(UTC)).total_seconds() + 0.5  # they tell whole seconds
    if abs(skew) > MOST_SKEW:
        side = "behind" if skew > 0 else "ahead of"
        return Finding(
            "Zerodha", False, f"this clock is {abs(skew):.0f} s {side} theirs: timedatectl set-ntp true"
        )
    return Finding("Zerodha", True, "answers, and its clock is ours")


async def _address(kite: KiteSettings, teller: str) -> Finding:
    """Orders leave by IPv4 (kite.md 14)."""
    from aiohttp import ClientSession, ClientTimeout, TCPConnector

    try:
        async with (
            ClientSession(
                connector=TCPConnector(family=socket.AF_INET), timeout=ClientTimeout(PATIENCE), trust_env=True
            ) as web,
            web.get(teller, proxy=str(kite.proxy) or None) as response,
        ):
            found = (await response.text()).strip()
    except Exception as fault:
        return Finding("Address", False, f"nobody tells our IPv4 address: {_why(fault)}")
    if not kite.static_ip:
        return Finding("Address", None, f"orders leave from {found}: register it, and set KITE_STATIC_IP")
    fine = found == kite.static_ip
    return Finding(
        "Address", fine, found if fine else f"orders leave from {found}, KITE_STATIC_IP is another"
    )


def _login(kite: KiteSettings) -> Finding:
    if not kite.totp_secret:
        return Finding("Login", None, "by link: /login each morning")
    try:
        check_secret(str(kite.totp_secret))
    except MunimError as fault:
        return Finding("Login", False, str(fault))
    return Finding("Login", True, f"by itself at {kite.login_at:%H:%M}")


def _owner_codes(settings: Settings) -> Finding:
    if settings.owner_totp:
        return Finding("Owner's codes", True, "set: /live will ask for one")
    live = settings.trading is Trading.LIVE
    return Finding("Owner's codes", False if live else None, "none yet: without them /live is refused")


def _why(fault: Exception) -> str:
    """By its type, for its text may hold an address with a token."""
    if isinstance(fault, TimeoutError):
        return f"no answer within {PATIENCE:.0f} s"
    if isinstance(fault, KeyError | ValueError):
        return "an answer that makes no sense"
    return f"no connection ({type(fault).__name__})"
