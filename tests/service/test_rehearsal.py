"""The whole live path as an owner practises it: ``bot.py rehearse``, its local broker, faults on demand."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest

from tests.service.sessions import ROOT, Ledger, environment

PATIENCE = 90.0  # seconds anything may take on a busy machine
SYMBOLS = "RELIANCE,INFY,TCS,SBIN"


class Rehearsal:
    """The process, what it has said so far, and its keyboard."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self._said: list[str] = []
        self._grew = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "bot.py"), "rehearse"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(folder, CLOCK_START="2026-11-23T10:00", PYTHONUNBUFFERED="1", **settings),
            text=True,
            cwd=folder,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Rehearsal:
        self.hears("Market: zerodha")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            assert self._process.wait(PATIENCE) == 0 or kind is not None, self.said
        finally:
            self._process.kill()
            self._process.wait()
            self._listener.join(PATIENCE)
            assert self._process.stdout is not None
            self._process.stdout.close()

    @property
    def said(self) -> str:
        return "".join(self._said)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._grew:
                self._said.append(line)
                self._grew.notify_all()

    def type(self, line: str) -> int:
        """Type a line; how much had been said before."""
        before = len(self.said)
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return before

    def hears(self, pattern: str, since: int = 0) -> re.Match[str]:
        """Wait until something is said."""
        until = time.monotonic() + PATIENCE
        with self._grew:
            while True:
                found = re.search(pattern, self.said[since:], re.MULTILINE)
                if found:
                    return found
                left = until - time.monotonic()
                assert left > 0, f"never said {pattern!r}:\n{self.said}"
                self._grew.wait(left)

    def asks(self, line: str, pattern: str) -> re.Match[str]:
        return self.hears(pattern, self.type(line))

    def arms(self) -> None:
        self.asks("/live", r"six digits")
        code = self.asks("/code", r"^(\d{6})$").group(1)
        self.asks(f"/live {code}", r"LIVE: armed")

    def ledger(self) -> Ledger:
        (path,) = self.folder.glob("rehearsal/*/munim.db")
        return Ledger(path)


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    with Rehearsal(tmp_path, RISK_LOSS_STREAK="99") as opened:
        opened.hears("Logged in to Zerodha")
        yield opened


def test_an_owner_practises_the_live_path_with_its_faults(rehearsal: Rehearsal) -> None:
    desk = rehearsal
    desk.asks(f"/start_strategy ema_crossover {SYMBOLS} 5s fast=2 slow=5", "Started ema_crossover")
    desk.hears(r"Denied: .*\n.*\/live with a one-time code")  # not armed: real money is not used
    desk.asks("/live 000000", r"wrong|used already")
    desk.arms()
    desk.hears(r"· entry")
    desk.asks("/fault timeout", "From now on")
    desk.hears(r"Outcome unknown")
    desk.asks("/fault stream", "From now on")
    before = desk.type("/fault token")
    desk.hears("Zerodha session over", before)
    desk.hears("Logged in to Zerodha", before)
    desk.asks("/app BUY ITC 5", "The app sent BUY 5 ITC")
    desk.hears("Order from elsewhere")
    before = desk.type("/kill")
    desk.hears("FLAT verified", before)
    desk.asks("/paper", "Disarmed")
    ledger = desk.ledger()
    assert ledger.rows("SELECT key, quantity FROM positions WHERE quantity != 0") == []
    # One broker order for each intent, whatever was lost on the way.
    twice = "SELECT order_id FROM orders WHERE order_id != '' GROUP BY order_id HAVING count(*) > 1"
    assert ledger.rows(twice) == []
    assert ledger.rows("SELECT count(*) FROM orders WHERE state IN ('UNKNOWN', 'INTENT')") == [(0,)]
    code = re.findall(r"^(\d{6})$", desk.said, re.MULTILINE)[-1]
    audited = ledger.rows("SELECT text FROM audit_log WHERE text LIKE '%live%'")
    assert audited
    assert all(code not in str(text) for (text,) in audited)
