"""Whole days of the whole house: jobs done once whatever restarts, holidays said, the contract note."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from storage.memory import MemoryLedger
from storage.paper import MemoryPaperJournal
from tests.service.sessions import Ledger, run_script
from tests.service.whole_house import MINUTE, Running, running
from trader.desk.commands import CloseDay, StartStrategy
from trader.domain.errors import InvalidInput
from trader.domain.money import ZERO, rupees
from trader.domain.order import HOUSE
from trader.domain.records import Alert
from trader.domain.times import IST
from trader.service.settings import Settings, read_settings

MONDAY, TUESDAY, WEDNESDAY = date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 25)
JOBS = ("checklist", "digest", "weekly")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def starting(text: str) -> Settings:
    return read_settings({"REPLAY_SPEED": "max", "CLOCK_START": text})


async def told(store: MemoryLedger, *topics: str) -> list[Alert]:
    pending = await store.pending_alerts(["somebody"])
    alerts = [p.alert for p in pending if p.alert.topic in (topics or JOBS)]
    return sorted(alerts, key=lambda alert: alert.at)


async def when(store: MemoryLedger) -> list[str]:
    return [f"{alert.topic} {alert.at:%d %H:%M}" for alert in await told(store)]


async def trade(desk: Running) -> None:
    answer = await desk.ask(StartStrategy("ema_crossover", ("SBIN", "TCS", "INFY"), "1m"), "start")
    assert answer.ok, answer.text


async def test_a_traded_day_is_opened_and_closed_with_what_the_note_says() -> None:
    async with running(settings=starting("2026-11-23T08:30")) as desk:
        await desk.house.front.wait(until=at("2026-11-23T09:30"))
        await trade(desk)
        await desk.house.front.wait()
        assert await when(desk.store) == ["checklist 23 08:45"]
        await desk.house.front.wait(until=at("2026-11-23T16:00"))
        assert await when(desk.store) == ["checklist 23 08:45", "digest 23 15:45"]
        note = await desk.house.front.note()
        assert note.orders, "too quiet a day to prove anything"
        results = await desk.store.day_results(MONDAY)
        assert sum((r.charges for r in results), ZERO) == note.total
        assert await desk.house.front.note(MONDAY) == note
        assert (await desk.house.front.note(TUESDAY)).total == ZERO
        view = desk.house.front.view()
        digest = (await told(desk.store, "digest"))[0]
        assert view.positions == []
        assert "Flat." in digest.body.splitlines()
        assert digest.title == f"Day closed: net {rupees(view.pnl.net, signed=True)}"
        funds = await desk.house.front.funds()
        assert funds.cash == view.equity


async def test_the_digest_is_done_once_however_often_the_house_is_opened() -> None:
    store, journal = MemoryLedger(), MemoryPaperJournal()
    ends = ["15:30", "15:42", "15:45", "15:46", "18:00"]
    for end in ends:
        async with running(store, journal, starting("2026-11-23T14:00")) as desk:
            if end == ends[0]:
                await trade(desk)
            await desk.house.front.wait(until=at(f"2026-11-23T{end}"))
            await desk.house.close()
    assert await when(store) == ["checklist 23 14:00", "digest 23 15:45"]
    house = [r for r in await store.day_results(MONDAY) if r.owner == HOUSE]
    assert len(house) <= 1
    booked = sum((r.net for r in await store.day_results(MONDAY)), ZERO)
    counters = (await store.load()).counters
    assert counters is not None
    assert counters.booked_today == counters.booked == booked


@pytest.mark.parametrize("clean", [True, False])
async def test_an_end_between_the_time_and_the_job_is_made_good(clean: bool) -> None:
    """The clock stood at 15:45 and was kept; the digest was not."""
    async with running(settings=starting("2026-11-23T15:44")) as desk:
        desk.house.pump._schedule = None
        await desk.house.front.wait(until=at("2026-11-23T15:50"))
        desk.house.clock.advance(at("2026-11-23T15:50"))
        if clean:
            await desk.house.close()
    assert await when(desk.store) == []
    async with running(desk.store, desk.journal, starting("2026-11-23T15:50")) as again:
        await again.wait(MINUTE)
    assert await when(desk.store) == ["digest 23 15:50"]


async def test_the_week_ends_with_its_summary() -> None:
    async with running(settings=starting("2026-11-26T15:35")) as desk:
        await desk.house.front.wait(until=at("2026-11-27T16:00"))
    assert await when(desk.store) == [
        "digest 26 15:45",
        "checklist 27 08:45",
        "digest 27 15:45",
        "weekly 27 15:45",
    ]


@pytest.mark.parametrize(
    ("start", "title", "opens"),
    [
        ("2026-11-24T10:00", "Closed today: Guru Nanak Jayanti", "Wed 25 Nov 09:15"),
        ("2026-11-21T10:00", "Closed today: Saturday", "Mon 23 Nov 09:15"),
        ("2026-11-07T23:00", "Closed today: Saturday", "Sun 8 Nov 13:45"),
    ],
)
async def test_a_start_on_a_closed_day_says_so_once_and_does_nothing_else(
    start: str, title: str, opens: str
) -> None:
    store, journal = MemoryLedger(), MemoryPaperJournal()
    for stands_at in (at(start), at(start) + 10 * MINUTE):
        async with running(store, journal, starting(start)) as desk:
            assert desk.house.clock.now() == stands_at
            assert desk.alerts == 1
            await desk.wait(10 * MINUTE)
            await desk.house.close()
    (alert,) = [p.alert for p in await store.pending_alerts(["somebody"])]
    assert (alert.title, alert.body) == (title, f"Next session {opens}.")
    assert await store.orders() == []


async def test_a_day_the_owner_closed_is_closed_after_a_restart_too() -> None:
    async with running(settings=starting("2026-11-23T15:30")) as desk:
        answer = await desk.ask(CloseDay(WEDNESDAY, "a mourning"), "close")
        assert answer.ok, answer.text
        await desk.house.front.wait(until=at("2026-11-25T11:00"))
        assert desk.house.front.calendar().why_closed(WEDNESDAY) == "a mourning"
        await desk.house.close()
    async with running(desk.store, desk.journal, starting("2026-11-23T15:30")) as again:
        assert again.house.front.calendar().why_closed(WEDNESDAY) == "a mourning"
        await again.house.front.wait(until=at("2026-11-26T09:16"))
    assert [a.title for a in await told(desk.store, "day")] == ["Closed today: a mourning"]
    assert await when(desk.store) == ["digest 23 15:45", "checklist 26 08:45"]


async def test_waiting_for_the_close_is_waiting_for_the_last_venue() -> None:
    async with running(settings=starting("2026-11-23T15:25")) as desk:
        assert await desk.house.front.wait() == at("2026-11-23T15:40")
        assert await desk.house.front.wait() == at("2026-11-25T15:40")


async def test_the_front_finds_contracts_by_what_people_type() -> None:
    async with running(settings=starting("2026-11-23T09:20")) as desk:
        front = desk.house.front
        chain = front.chain("NIFTY")
        strike = sorted(chain.strikes)[0]
        call, put = chain.strikes[strike]
        assert call is not None
        assert put is not None
        assert front.find(call.symbol) == call
        assert call in front.search(call.symbol)
        assert call.expiry is not None
        assert call.expiry >= MONDAY
        with pytest.raises(InvalidInput):
            front.find("NOSUCHTHING")
        assert desk.house.clock.now() - at("2026-11-23T09:20") < timedelta(seconds=1)


def test_a_script_that_begins_on_a_holiday_is_told_first_and_can_wait(tmp_path: Path) -> None:
    script = ["/status", "/wait 1h", "/quit"]
    said = run_script(tmp_path, script, REPLAY_SPEED="max", CLOCK_START="2026-11-24T10:00")
    assert said.index("Closed today: Guru Nanak Jayanti") < said.index("> /status")
    assert "10:00:00 → 11:00:00" in said
    assert "checklist" not in said
    assert Ledger(tmp_path / "munim.db").rows("SELECT count(*) FROM alerts") == [(1,)]


# -- the list of instruments -------------------------------------------------------------------------------


async def test_each_day_has_its_own_list_of_instruments_and_the_checklist_says_of_which_day() -> None:
    async with running(settings=starting("2026-11-23T15:38")) as desk:
        front = desk.house.front
        first = {i.key for i in front.instruments()}
        assert front.find("NIFTY FUT").symbol == "NIFTY26NOVFUT"
        await front.wait(until=at("2026-11-23T20:00"))
        assert {i.key for i in front.instruments()} == first, "the evening belongs to its day"
        await front.wait(until=at("2026-11-25T09:16"))
        (alert,) = await told(desk.store, "checklist")
        offered = await _offered("2026-11-25T08:00")
        assert f"✓ Instruments: {offered} of 25 Nov" in alert.body.splitlines()
        future = front.find("NIFTY FUT")
        assert future.symbol == "NIFTY26DECFUT"
        assert front.quote("NIFTY FUT").tick is not None, "it has prices"
        assert front.chain("NIFTY").expiry == date(2026, 12, 1)
        assert first < {i.key for i in front.instruments()}, "what expired is still known"


async def test_an_option_glued_together_without_its_expiry_is_answered_with_how_to_type_it() -> None:
    async with running(settings=starting("2026-11-23T08:00")) as desk:
        front = desk.house.front
        for ask in (front.find, front.quote):
            with pytest.raises(InvalidInput, match="Did you mean NIFTY 25900 CE\\?"):
                ask("nifty25900ce")
        with pytest.raises(InvalidInput, match="RELIANCE2500CE") as stock:
            front.find("RELIANCE2500CE")
        assert "2500 CE?" not in str(stock.value), "no options are traded on it here"


async def _offered(start: str) -> int:
    """How many instruments a house has that starts then."""
    async with running(settings=starting(start)) as desk:
        return len(desk.house.front.instruments())
