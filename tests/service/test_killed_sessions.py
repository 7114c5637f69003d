"""kill -9 at any moment: what DESIGN.md promises must hold in the files, and after the next start.

The paper exchange keeps its own journal, written before the desk hears of anything, so it can disagree with
the ledger after a crash exactly as a broker elsewhere would.
"""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from tests.service.sessions import Ledger, kill_session, run_script

BUSY = {
    "REPLAY_SPEED": "900",
    "CLOCK_START": "2026-11-23T09:30",
    "RISK_CAPITAL": "10000000",
    "RISK_MAX_DAILY_LOSS": "1000000",
    "RISK_MAX_DAILY_LOSS_PCT": "50",
    "RISK_MAX_DRAWDOWN_PCT": "90",
    "RISK_MAX_ORDER_VALUE": "400000",
    "RISK_MAX_OPEN_POSITIONS": "8",
    "RISK_MAX_TRADES_PER_DAY": "10000",
    "RISK_LOSS_STREAK": "1000",
    "PAPER_LATENCY_MS": "1500",
    "PAPER_PARTIAL_PCT": "50",
    "PAPER_REJECT_PCT": "5",
}
MOST_POSITIONS = 8
SYMBOLS = "RELIANCE,TCS,INFY,SBIN,ITC,LT,HDFCBANK,ICICIBANK"
TRADE = [
    "/resume",
    "1",
    f"/start_strategy ema_crossover {SYMBOLS} 15s stop=0.2 target=0.3 trail=0.2",
    f"/start_strategy breakout {SYMBOLS} 15s stop=0.2 target=0.3",
    "/wait 4s",
    "/kill",
    "/wait 30s",
]
# After a crash: five minutes of market time, enough for unknown outcomes to be proven one way or the other.
RECOVER = ["/status", "/wait 5m", "/positions"]


def broken_promises(ledger: Ledger) -> list[str]:
    """What does not hold in the files; empty when all is well. Promises by DESIGN.md's numbers."""
    broken = []
    for tag, count in ledger.rows(
        "SELECT tag, count(*) FROM paper_orders WHERE tag IS NOT NULL GROUP BY tag HAVING count(*) > 1"
    ):
        broken.append(f"1: {count} broker orders for the intent {tag}")
    for (tag,) in ledger.rows("SELECT tag FROM paper_orders WHERE tag NOT IN (SELECT tag FROM orders)"):
        broken.append(f"1: the broker has {tag}, the ledger has no intent of it")
    return broken + _entries_while_halted(ledger) + _limits_broken(ledger)


def differences_at_rest(ledger: Ledger) -> list[str]:
    """Promise 2: ledger and broker agree once everything has settled."""
    broken = []
    ours = {str(t): int(str(q)) for t, q in ledger.rows("SELECT tag, sum(quantity) FROM fills GROUP BY tag")}
    theirs = {
        str(t): int(str(q))
        for t, q in ledger.rows(
            "SELECT tag, sum(e.quantity) FROM paper_executions e"
            " JOIN paper_orders USING (order_id) GROUP BY tag"
        )
    }
    if ours != theirs:
        broken.append(f"2: fills differ: {sorted(set(ours.items()) ^ set(theirs.items()))}")
    sums: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for *slot, side, quantity in ledger.rows('SELECT owner, "key", product, side, quantity FROM fills'):
        sums[tuple(map(str, slot))] += int(str(quantity)) * (1 if side == "BUY" else -1)
    positions = {
        tuple(map(str, slot)): int(str(quantity))
        for *slot, quantity in ledger.rows('SELECT owner, "key", product, quantity FROM positions')
    }
    if {s: q for s, q in sums.items() if q} != {s: q for s, q in positions.items() if q}:
        broken.append(f"2: positions are not the sum of their fills: {dict(sums)} {positions}")
    for tag, state in ledger.rows("SELECT tag, state FROM orders WHERE state IN ('INTENT', 'UNKNOWN')"):
        broken.append(f"1: {tag} is still {state}")
    for tag, state, status in ledger.rows(
        "SELECT tag, o.state, p.status FROM orders o JOIN paper_orders p USING (tag)"
        " WHERE (p.status IN ('COMPLETE', 'CANCELLED', 'REJECTED'))"
        " != (o.state IN ('FILLED', 'CANCELLED', 'REJECTED'))"
    ):
        broken.append(f"2: {tag} is {state} here and {status} at the broker")
    return broken


def _entries_while_halted(ledger: Ledger) -> list[str]:
    """Promise 4, by the ledger's own history of the latch. In the moment in which it was turned, market time
    does not say what came first: a script's /resume and the candle that closes with it are of one second."""
    latches = [
        (str(since), str(mode))
        for since, mode in ledger.rows("SELECT since, mode FROM latches ORDER BY serial")
    ]
    broken = []
    for tag, made in ledger.rows(
        "SELECT tag, created_at FROM orders WHERE asked_purpose = 'entry' AND state != 'DENIED'"
    ):
        before = [mode for since, mode in latches if since < str(made)][-1:] or ["ACTIVE"]
        modes = before + [mode for since, mode in latches if since == str(made)]
        if "ACTIVE" not in modes:
            broken.append(f"4: {tag} entered at {made} while {modes[-1]}, latched {latches[-3:]}")
    return broken


def _limits_broken(ledger: Ledger) -> list[str]:
    """Promise 3: at the moment of the crash, whatever it was."""
    rows = ledger.rows("SELECT quantity, average_price FROM positions WHERE quantity != 0")
    exposure = sum(abs(int(str(q))) * Decimal(str(p)) for q, p in rows)
    broken = []
    if len(rows) > MOST_POSITIONS:
        broken.append(f"3: {len(rows)} positions")
    if exposure > Decimal(50_000_000):
        broken.append(f"3: exposure {exposure}")
    return broken


def kill_and_recover(folder: Path, moments: random.Random) -> str:
    """One crash at a random moment and one recovery; every promise checked on the way. The state found."""
    kill_session(folder, TRADE, moments.uniform(0.05, 5.0), **BUSY)
    ledger = Ledger(folder / "munim.db")
    assert broken_promises(ledger) == []
    unclean = ledger.rows("SELECT ended_at FROM sessions ORDER BY serial DESC LIMIT 1")[0][0] is None
    orders = ledger.rows("SELECT count(*) FROM orders")[0][0]
    said = run_script(folder, RECOVER, **{**BUSY, "REPLAY_SPEED": "max"})
    assert broken_promises(ledger) == []
    assert differences_at_rest(ledger) == []
    if unclean:
        assert "HALTED" in said
        mode, code = ledger.rows("SELECT mode, code FROM latches ORDER BY serial DESC LIMIT 1")[0]
        assert (mode, code) in [("HALTED", "unclean_exit"), ("HALTED", "killed")]
    return f"{orders} orders so far, {'unclean' if unclean else 'clean'}"


def test_twenty_kills_at_random_moments_break_no_promise(tmp_path: Path) -> None:
    moments = random.Random(20261121)
    for _ in range(20):
        kill_and_recover(tmp_path, moments)
    ledger = Ledger(tmp_path / "munim.db")
    assert len(ledger.rows("SELECT 1 FROM fills")) > 20, "too little happened to prove anything"


@pytest.mark.soak
def test_two_hundred_kills_at_random_moments_break_no_promise(tmp_path: Path) -> None:
    moments = random.Random()
    for number in range(1, 201):
        print(f"\rkill {number} of 200: {kill_and_recover(tmp_path, moments)}   ", end="", flush=True)
    print()
