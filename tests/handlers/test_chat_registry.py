"""The one list of commands."""

from __future__ import annotations

import re

import pytest
from chat_room import Room

from handlers.message import Reply, say
from handlers.registry import Call, Danger, Registry, Role, command
from trader.service.port import DeskPort


async def nothing(desk: DeskPort, call: Call) -> Reply:
    return say("")


def test_what_telegram_is_given_keeps_its_limits() -> None:
    commands = Room().registry.bot_commands()
    assert len(commands) <= 100
    assert all(re.fullmatch(r"[a-z0-9_]{1,32}", name) and 1 <= len(text) <= 256 for name, text in commands)


def test_every_command_the_desk_promises_is_there() -> None:
    names = set(Room().registry.names())
    assert names == {
        "start", "help", "status", "strategies", "start_strategy", "stop_strategy", "pause", "positions",
        "orders", "trades", "charges", "funds", "pnl", "risk", "quote", "find", "chain", "calendar", "closed",
        "reopened", "kill", "resume", "mute", "version", "wait", "quit", "login", "logout", "live", "paper",
        "holdings", "reconcile", "locks", "adopt", "ignore", "flatten", "not_there",
        "backtest", "optimize", "walkforward", "montecarlo", "backtests", "jobs", "cancel_job",
    }  # fmt: skip


def test_whatever_changes_the_desk_is_the_owners() -> None:
    for item in Room().registry:
        assert item.danger is Danger.READ or item.role is Role.OWNER, item.name


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("Kill", {}),
        ("kill!", {}),
        ("", {}),
        ("k" * 33, {}),
        ("kill", {"aliases": ("K ",)}),
        ("kill", {"help": ""}),
        ("kill", {"help": "x" * 257}),
        ("buy", {"danger": Danger.ADDS_RISK, "role": Role.VIEWER}),
    ],
)
def test_a_command_that_breaks_the_rules_cannot_be_made(name: str, more: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"command name|help line|adds risk"):
        command(name, **{"help": "h", "danger": Danger.READ, **more})(nothing)  # type: ignore[arg-type]  # on purpose


def test_two_commands_cannot_share_a_name_or_alias() -> None:
    one = command("one", help="h", danger=Danger.READ, aliases=("o",))(nothing)
    other = command("o", help="h", danger=Danger.READ)(nothing)
    with pytest.raises(ValueError, match="Two commands are called /o"):
        Registry({"A": (one,), "B": (other,)})


@pytest.mark.parametrize(
    ("name", "found"),
    [("pos", "positions"), ("/POS", "positions"), ("q", "quote"), ("margins", "funds"), ("nope", None)],
)
def test_aliases_find_their_command(name: str, found: str | None) -> None:
    item = Room().registry.find(name)
    assert (item.name if item else None) == found
