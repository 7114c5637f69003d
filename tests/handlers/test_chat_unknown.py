"""/not_there: orders nobody knows the outcome of, and the owner's word on them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chat_room import VIEWER, Room, seen
from fake_desk import an_order

from handlers.render.text import WIDTH
from trader.desk.commands import NotThere
from trader.domain.order import Order, OrderState

ASKED = "is it not there?"


def unknown(*symbols: str) -> list[Order]:
    return [an_order(symbol, OrderState.UNKNOWN) for symbol in symbols]


@pytest.fixture
def room() -> Room:
    room = Room()
    room.desk.the_view = replace(
        room.desk.the_view, orders=(*unknown("RELIANCE", "TCS"), an_order("SBIN", OrderState.OPEN))
    )
    return room


def words(room: Room) -> list[str]:
    return [c.tag for c, _, _ in room.desk.asked if isinstance(c, NotThere)]


async def test_the_orders_are_listed_and_each_is_asked_about_before_it_is_believed(room: Room) -> None:
    listed = await room.offered("/not_there")
    text = seen(listed) or ""
    assert "2 unknown outcomes" in text
    assert "SBIN" not in text
    asked = await room.press(listed, "SELL 66 TCS")
    assert ASKED in (seen(asked) or "")
    assert words(room) == []
    assert "counts as not placed" in (await room.pressed(asked, "It is not there") or "")
    assert words(room) == ["M-TCS"]


async def test_typed_with_its_name_it_is_asked_about_too(room: Room) -> None:
    for text in ("/not_there M-RELIANCE", "/not_there M-RELIANCE @looked"):
        assert ASKED in (await room.typed(text) or "")
    assert words(room) == []


async def test_one_whose_outcome_came_meanwhile_is_left_alone(room: Room) -> None:
    asked = await room.offered("/not_there M-TCS")
    room.desk.the_view = replace(room.desk.the_view, orders=tuple(unknown("RELIANCE")))
    answer = await room.pressed(asked, "It is not there") or ""
    assert "not unknown any more. Nothing was done." in answer
    assert words(room) == []


async def test_where_every_outcome_is_known_it_says_so() -> None:
    assert await Room().typed("/not_there") == "Of every order the outcome is known."


async def test_a_viewer_has_no_say(room: Room) -> None:
    await room.typed("/not_there M-TCS", VIEWER)
    assert words(room) == []


async def test_its_buttons_fit_a_phone(room: Room) -> None:
    listed = await room.offered("/not_there")
    assert all(len(button.label) <= WIDTH for row in listed.reply.buttons for button in row)
