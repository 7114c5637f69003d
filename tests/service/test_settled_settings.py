"""What a start would run with is told before it: every setting, from the strategy's own class too."""

from __future__ import annotations

import pytest

from tests.service.whole_house import running
from trader.desk.commands import StartStrategy
from trader.domain.errors import InvalidInput, UnknownName


async def test_what_was_not_typed_is_the_strategy_s_own_before_the_desk_s() -> None:
    async with running() as desk:
        settled = desk.house.front.settled
        pair = settled(StartStrategy("pair_reversion", ("RELIANCE", "TCS"), "5m", {"check": "off"}))
        assert (pair["stop"], pair["target"], pair["lookback"]) == ("2", "0", "120")
        plain = settled(StartStrategy("ema_crossover", ("RELIANCE",), "5m", {"Stop": "0.5%"}))
        assert (plain["stop"], plain["target"], plain["fast"], plain["risk"]) == ("0.5", "2", "9", "1")


async def test_what_the_desk_would_refuse_is_refused() -> None:
    async with running() as desk:
        settled = desk.house.front.settled
        with pytest.raises(InvalidInput, match="fast is abc: expected a whole number"):
            settled(StartStrategy("ema_crossover", ("RELIANCE",), "5m", {"fast": "abc"}))
        with pytest.raises(UnknownName, match="quantity"):
            settled(StartStrategy("ema_crossover", ("RELIANCE",), "5m", {"qantity": "5"}))
        with pytest.raises(InvalidInput, match="needs 2 symbols, was given 1"):
            settled(StartStrategy("pair_reversion", ("RELIANCE",), "5m"))
