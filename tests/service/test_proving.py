"""A strategy is checked before its first start; what came of it is remembered, told, and obeyed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from storage.memory import MemoryLedger
from storage.paper import MemoryPaperJournal
from tests.service.sessions import ROOT
from tests.service.whole_house import MINUTE, SETTINGS, running
from trader.backtest import lookahead
from trader.desk.commands import StartStrategy
from trader.domain.errors import CommitFailed
from trader.domain.records import InstanceStatus
from trader.service.opening import open_house
from trader.service.proving import PROOF, Proving
from trader.strategy.catalogue import Catalogue

HEAD = "import numpy as np\nfrom trader.strategy import *\n\n\n"
CLEAN = HEAD + (
    "class Clean(Strategy):\n"
    "    length = Param(20, low=2, high=50)\n"
    "    def signals(self, bars):\n"
    "        return Signals(enter_long=crossed_above(bars.close, sma(bars.close, self.length)))\n"
)
PEEKING = HEAD + (
    "class Peeking(Strategy):\n"
    "    def signals(self, bars):\n"
    "        return Signals(enter_long=np.roll(bars.close, -1) > bars.close)\n"
)
DRIFTING = HEAD + (
    "class Drifting(Strategy):\n"
    "    warmup = 15\n"
    "    def signals(self, bars):\n"
    "        return Signals(enter_long=crossed_above(rsi(bars.close, 14), 30))\n"
)
RAISING = HEAD + (
    "class Raising(Strategy):\n"
    "    def signals(self, bars):\n"
    "        return Signals(enter_long=bars.closes > 1)\n"
)
ENDLESS = HEAD + (
    "class Endless(Strategy):\n"
    "    def signals(self, bars):\n"
    "        import time\n"
    "        while True:\n"
    "            time.sleep(0.01)\n"
)
LEAVING = HEAD + "class Leaving(Strategy):\n    def signals(self, bars):\n        raise SystemExit(3)\n"
FILES = {"clean": CLEAN, "peeking": PEEKING, "drifting": DRIFTING, "raising": RAISING, "endless": ENDLESS,
         "leaving": LEAVING}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path):
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    yield tmp_path
    for name in FILES:
        sys.modules.pop(f"strategies.{name}", None)


class Ledger(dict[str, str]):
    """The settings of one; ``writable`` switched off, it fails as a full disk does."""

    writable = True

    async def read(self, key: str) -> str | None:
        return self.get(key)

    async def write(self, key: str, value: str) -> None:
        if not self.writable:
            raise CommitFailed("the disk is full")
        self[key] = value


def proving(folder: Path, ledger: Ledger, within: float = 30.0) -> Proving:
    return Proving(Catalogue.discover(folder), ledger.read, ledger.write, within=within)


def start(name: str, interval: str | None = "1m", **settings: str) -> StartStrategy:
    return StartStrategy(name, ("RELIANCE",), interval, settings)


@pytest.fixture
def checks(monkeypatch) -> list[str]:
    """The names of those that were checked, as they are."""
    seen: list[str] = []
    really = lookahead.check

    def noted(kind, *args, **kwargs):
        seen.append(kind.name)
        return really(kind, *args, **kwargs)

    monkeypatch.setattr(lookahead, "check", noted)
    return seen


async def test_a_clean_strategy_is_checked_once_and_told_so_once(folder, checks):
    ledger = Ledger()
    desk = proving(folder, ledger)
    first, second = await desk.prove(start("clean")), await desk.prove(start("clean"))
    assert (first.refused, first.text) == (False, "Checked: sees no future, decides the same every time.")
    assert (second.refused, second.text) == (False, "")
    assert checks == ["clean"]
    assert list(ledger) == [f"{PROOF}clean"]


async def test_another_start_of_the_program_remembers(folder, checks):
    ledger = Ledger()
    await proving(folder, ledger).prove(start("clean"))
    assert (await proving(folder, ledger).prove(start("clean"))).text == ""
    assert checks == ["clean"]


@pytest.mark.parametrize(
    "other", [start("clean", length="30"), start("clean", interval="5m"), start("clean", interval=None)]
)
async def test_other_parameters_and_another_interval_are_checked_anew(folder, checks, other):
    desk = proving(folder, Ledger())
    await desk.prove(start("clean"))
    await desk.prove(other)
    assert checks == ["clean", "clean"]
    await desk.prove(start("clean"))  # the earlier one is not forgotten
    await desk.prove(start("clean", stop="0.5"))  # an option of the desk's changes no signal
    assert checks == ["clean", "clean"]


async def test_edited_code_is_checked_anew_once_it_is_what_runs(folder, checks):
    ledger = Ledger()
    desk = proving(folder, ledger)
    await desk.prove(start("clean"))
    (folder / "clean.py").write_text(CLEAN.replace("sma(", "ema("))
    assert (await desk.prove(start("clean"))).text == ""  # what runs is still the old
    assert (await proving(folder, ledger).prove(start("clean"))).text.startswith("Checked")
    assert checks == ["clean", "clean"]


async def test_looking_ahead_is_refused_each_time_and_says_why(folder, checks):
    desk = proving(folder, Ledger())
    for _ in range(2):
        proof = await desk.prove(start("peeking"))
        assert proof.refused
        assert proof.text.startswith("peeking is refused. Look-ahead: enter_long of the bar of ")
        assert "check=off" in proof.text
    assert checks == ["peeking"]


async def test_the_owner_may_start_it_all_the_same(folder, checks):
    proof = await proving(folder, Ledger()).prove(start("peeking", Check="OFF", stop="0.5"))
    assert (proof.refused, proof.text) == (False, "Not checked, as you asked.")
    assert proof.command == start("peeking", stop="0.5")  # the desk knows no such setting
    assert checks == []


async def test_a_short_warm_up_is_told_each_time_and_started(folder):
    desk = proving(folder, Ledger())
    for _ in range(2):
        proof = await desk.prove(start("drifting"))
        assert not proof.refused
        assert "A warmup of " in proof.text


async def test_code_that_raises_is_refused_with_its_line(folder):
    proof = await proving(folder, Ledger()).prove(start("raising"))
    assert proof.refused
    assert "'Bars' object has no attribute 'closes' (raising.py, line 7)" in proof.text


async def test_code_that_would_end_the_process_is_refused(folder):
    proof = await proving(folder, Ledger()).prove(start("leaving"))
    assert proof.refused
    assert "leaving raised SystemExit: 3 (leaving.py, line 7)" in proof.text


async def test_code_that_does_not_come_back_is_refused(folder):
    proof = await proving(folder, Ledger(), within=0.3).prove(start("endless"))
    assert proof.refused
    assert "did not end within 0.3 s" in proof.text


async def test_a_check_that_fails_by_itself_is_told_and_refuses_nothing(folder, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(lookahead, "check", broken)
    ledger = Ledger()
    proof = await proving(folder, ledger).prove(start("clean"))
    assert not proof.refused
    assert proof.text == "Not checked: the check itself failed, RuntimeError: a fault of ours."
    assert ledger == {}  # and is tried again


@pytest.mark.parametrize(
    "wrong", [start("nobody"), start("clean", length="x"), start("clean", length="99"), start("clean", "7x")]
)
async def test_what_the_desk_refuses_anyway_is_left_to_it(folder, checks, wrong):
    proof = await proving(folder, Ledger()).prove(wrong)
    assert (proof.refused, proof.text, proof.command) == (False, "", wrong)
    assert checks == []


async def test_a_ledger_that_cannot_be_written_stops_no_start(folder):
    ledger = Ledger()
    ledger.writable = False
    assert not (await proving(folder, ledger).prove(start("clean"))).refused


async def test_only_the_newest_verdicts_are_kept(folder):
    ledger = Ledger()
    desk = proving(folder, ledger)
    for length in range(10, 22):
        await desk.prove(start("clean", length=str(length)))
    assert ledger[f"{PROOF}clean"].count("Checked") == 8


async def test_the_loop_goes_on_while_a_strategy_is_checked(folder):
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await proving(folder, Ledger()).prove(start("clean"))
    counting.cancel()
    assert turns > 20


# -- in a whole house -----------------------------------------------------------------------------------


async def test_the_desk_never_hears_of_a_strategy_that_looks_ahead(folder):
    store = MemoryLedger()
    await store.open()
    house = await open_house(
        SETTINGS, store, MemoryPaperJournal(), Catalogue.discover(folder), held=True, on_alert=lambda: None
    )
    serving = asyncio.create_task(house.service.run())
    try:
        refused = await house.front.ask(start("peeking"), source_id="1", actor="test")
        assert not refused.ok
        assert list(house.front.view().instances) == []
        started = await house.front.ask(start("clean"), source_id="2", actor="test")
        assert started.ok
        assert started.text.splitlines()[-1] == "Checked: sees no future, decides the same every time."
        again = await house.front.ask(start("clean"), source_id="2", actor="test")
        assert (again.ok, again.text) == (True, "Done already.")
        assert (await store.load()).settings.keys() >= {f"{PROOF}clean", f"{PROOF}peeking"}
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


EDITED = CLEAN.replace("crossed_above(bars.close, sma(bars.close, self.length))", "{}")
AHEAD = "It would not be started like this. Look-ahead: enter_long"
SOUND = "Checked: sees no future, decides the same every time."


@pytest.mark.parametrize(
    ("body", "paused", "says"),
    [
        ("bars.close > bars.close.mean()", True, AHEAD),
        ("bars.close > bars.open", False, SOUND),
        (None, False, None),
    ],
)
async def test_what_goes_on_from_a_file_that_was_edited_is_checked_again(
    folder: Path, body: str | None, paused: bool, says: str | None
) -> None:
    store, journal = MemoryLedger(), MemoryPaperJournal()
    await store.open()
    for time in (1, 2, 3):
        if time == 2 and body is not None:
            (folder / "clean.py").write_text(EDITED.format(body))
        house = await open_house(
            SETTINGS, store, journal, Catalogue.discover(folder), held=True, on_alert=lambda: None
        )
        serving = asyncio.create_task(house.service.run())
        if time == 1:
            assert (await house.front.ask(start("clean"), source_id="1", actor="test")).ok
        await house.front.look_at_edited()
        (shown,) = house.front.view().instances
        assert (shown.instance.status is InstanceStatus.PAUSED) is (paused and time > 1)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    told = [p.alert.body for p in await store.pending_alerts(("x",)) if "edited file" in p.alert.title]
    assert len(told) == (says is not None), "once, not at every start"
    assert says is None or told[0].startswith(says)


async def test_every_bundled_strategy_starts_and_the_pair_trades_both_legs():
    names = Catalogue.discover(ROOT / "strategies").names()
    async with running() as desk:
        for name in names:
            symbols = ("HDFCBANK", "ICICIBANK") if name == "pair_reversion" else ("RELIANCE", "INFY")
            settings = {"lookback": "40", "enter": "1.5"} if name == "pair_reversion" else {}
            answer = await desk.ask(StartStrategy(name, symbols, "15s", settings), f"start {name}")
            assert answer.ok, answer.text
            on_ticks = name == "tick_imbalance"
            assert ("Checked: its code runs on ticks" in answer.text) is on_ticks, answer.text
            assert ("Checked: sees no future" in answer.text) is not on_ticks, answer.text
            assert ("on RELIANCE, INFY, every tick." in answer.text) is on_ticks, answer.text
        await desk.wait(40 * MINUTE)
        view = desk.house.front.view()
        assert {str(one.instance.status) for one in view.instances} == {"RUNNING"}
        fills = await desk.store.fills()
        legs = {str(fill.key) for fill in fills if fill.owner == "pair_reversion"}
        assert legs == {"NSE:HDFCBANK", "NSE:ICICIBANK"}
