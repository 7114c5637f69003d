"""Commands of one person that are sent close together: what takes real money back is not overtaken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sandbox.kite.totp import code_at
from tests.service.live_house import brisk, live_house
from trader.desk.events import CheckLine


@dataclass
class SlowAccount:
    """Its address takes as long to find out as the test likes."""

    answered: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def preflight(self) -> Sequence[CheckLine]:
        self.asked.set()
        await self.answered.wait()
        return (CheckLine("Address", True, "203.0.113.7"),)

    def session_line(self) -> CheckLine:
        return CheckLine("Session", True, "AB1234 until Tue 06:00")

    def link(self) -> str:
        raise NotImplementedError

    async def login(self, pasted: str = "") -> str:
        raise NotImplementedError

    async def logout(self) -> str:
        raise NotImplementedError


@brisk
async def test_paper_sent_while_live_is_checked_is_the_last_word(tmp_path: Path) -> None:
    async with live_house(tmp_path, armed=False) as live:
        account = live.house.front._account = SlowAccount()
        code = code_at(live.kite.client.totp_secret, datetime.now(UTC))
        arming = asyncio.create_task(live.types(f"/live {code}"))
        await account.asked.wait()
        assert "no live entries" in await live.types("/paper")
        account.answered.set()
        assert "Not armed: /paper came while this was being checked." in await arming
        assert not live.house.front.view().armed
        assert "armed" in await live.types(f"/live {code}"), "the code was not used up"
        assert live.house.front.view().armed
