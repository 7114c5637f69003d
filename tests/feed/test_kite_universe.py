"""The day's list of instruments: fetched once, kept, and never an old one under a new day's name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from kite_feed_house import CALENDAR, INFY, TOKENS, FakeKite, Wall, at, day, dump

from trader.domain.errors import BrokerUnavailable, FeedError, InstrumentsStale, LoginNeeded
from trader.domain.instrument import InstrumentKey
from trader.feed.zerodha.universe import DailyInstruments


def daily(folder: Path, wall: Wall, kite: FakeKite) -> DailyInstruments:
    return DailyInstruments(kite, folder, CALENDAR, wall, fewest=1)


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_one_fetch_a_day_however_often_the_desk_is_started(tmp_path: Path) -> None:
    wall = Wall("2026-11-20 09:00")
    kite = FakeKite(wall)
    for _ in range(3):
        found = await daily(tmp_path, wall, kite).load()
    assert kite.lists_fetched == 1
    assert (found.as_of, found.today, found.find("INFY").key) == (day("2026-11-20"), day("2026-11-20"), INFY)
    found.require_fresh(day("2026-11-20"))


@pytest.mark.parametrize(
    ("now", "as_of", "due"),
    [
        ("2026-11-20 08:29", "2026-11-19", False),  # Thursday's list is the newest there is
        ("2026-11-20 08:30", "2026-11-20", True),
        ("2026-11-21 12:00", "2026-11-21", False),  # a Saturday needs none
        ("2026-11-23 08:00", "2026-11-22", False),
        ("2026-11-23 08:30", "2026-11-23", True),
    ],
)
async def test_which_days_list_kite_gives_out(tmp_path: Path, now: str, as_of: str, due: bool) -> None:
    wall = Wall("2026-11-19 10:00" if now < "2026-11-21" else "2026-11-20 10:00")
    kite = FakeKite(wall)
    keeper = daily(tmp_path, wall, kite)
    await keeper.load()
    wall.at = at(now)
    assert keeper.due() is due
    fresh = DailyInstruments(kite, tmp_path / "empty", CALENDAR, wall, fewest=1)
    assert (await fresh.load()).as_of == date.fromisoformat(as_of)


async def test_without_kite_the_newest_list_in_the_cache_serves_but_not_for_live_trading(
    tmp_path: Path,
) -> None:
    wall = Wall("2026-11-19 09:00")
    kite = FakeKite(wall)
    await daily(tmp_path, wall, kite).load()
    wall.at = at("2026-11-20 09:00")
    kite.failures = [BrokerUnavailable("502"), LoginNeeded("log in")]
    for _ in range(2):
        found = await daily(tmp_path, wall, kite).load()
        assert found.get(INFY) is not None
        with pytest.raises(InstrumentsStale, match="19"):
            found.require_fresh(day("2026-11-20"))
    kite.failures = [BrokerUnavailable("502")]
    with pytest.raises(BrokerUnavailable):
        await daily(tmp_path / "nothing", wall, kite).load()


async def test_yesterdays_list_served_late_is_refused(tmp_path: Path) -> None:
    """Kite had not made the new one: fifty contracts of an expiry that is over prove it."""
    wall = Wall("2026-11-25 08:31")
    kite = FakeKite(wall)
    old = {InstrumentKey(f"NFO:NIFTY26NOV{n}FUT"): 20_000_002 + 256 * n for n in range(60)}
    kite.list = dump({**TOKENS, **old}, expiry="2026-11-24")
    with pytest.raises(InstrumentsStale, match="had not made"):
        await daily(tmp_path, wall, kite).load()
    assert files_in(tmp_path) == [], "it is not kept under today's name"
    kite.list = dump()
    assert (await daily(tmp_path, wall, kite).load()).as_of == day("2026-11-25")


async def test_a_cut_answer_is_refused_and_a_damaged_file_fetched_again(tmp_path: Path) -> None:
    wall = Wall("2026-11-20 09:00")
    kite = FakeKite(wall)
    whole = DailyInstruments(kite, tmp_path, CALENDAR, wall)
    with pytest.raises(FeedError, match="expected at least"):
        await whole.load()
    await daily(tmp_path, wall, kite).load()
    (file,) = files_in(tmp_path)
    file.write_bytes(file.read_bytes()[:-1])
    kite.lists_fetched = 0
    assert (await daily(tmp_path, wall, kite).load()).get(INFY) is not None
    assert kite.lists_fetched == 1


async def test_a_list_that_is_there_already_is_not_fetched_again(tmp_path: Path) -> None:
    wall = Wall("2026-11-20 09:00")
    kite = FakeKite(wall)
    keeper = daily(tmp_path, wall, kite)
    await keeper.load()
    assert await keeper.refresh() is False
    assert kite.lists_fetched == 1
    wall.at = at("2026-11-23 08:30")
    assert await keeper.refresh() is True
    assert kite.lists_fetched == 2


async def test_a_list_of_a_later_day_is_not_used(tmp_path: Path) -> None:
    """A rehearsal of an earlier day, beside the lists of real ones."""
    wall = Wall("2026-11-23 09:00")
    kite = FakeKite(wall)
    await daily(tmp_path, wall, kite).load()
    wall.at = at("2026-11-20 09:00")
    assert (await daily(tmp_path, wall, kite).load()).as_of == day("2026-11-20")
