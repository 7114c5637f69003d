"""Writes the parts of docs/chat.md that are never written by hand: ``python tests/handlers/chat_page.py``.

Each part stands between ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->``.
"""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "chat.md"
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from chat_room import Room  # noqa: E402 - the path is set above when run as a script
from fake_account import GREEN, RED, a_lock  # noqa: E402 - importable once the path above is set
from fake_desk import NOW, D, a_position, a_trade, an_execution  # noqa: E402 - importable once the path above is set

from handlers.digest import render_alert  # noqa: E402 - importable once the path above is set
from handlers.registry import Command, Role  # noqa: E402 - importable once the path above is set
from handlers.render.terminal import plain_alert  # noqa: E402 - importable once the path above is set
from trader.domain.order import EXTERNAL, Product, Side  # noqa: E402 - importable once the path above is set
from trader.domain.records import Alert, Priority  # noqa: E402 - importable once the path above is set

FILL = Alert(
    "fill:1", NOW, Priority.FILL, "fill", "BUY 66 RELIANCE @ ₹1,500.25 · entry",
    "ema_crossover · 10:06:02\nstop ₹1,485.25 · target ₹1,530.25",
)  # fmt: skip
FLAT = Alert(
    "kill:1", NOW, Priority.CRITICAL, "kill", "FLAT verified 10:15:09",
    "2/2 positions closed, 1 order cancelled, 0 left at the broker, 7 s.\nNet today +₹298.41.\n"
    "The desk stays HALTED; /resume trades again.",
)  # fmt: skip
NOT_FLAT = Alert(
    "kill:2", NOW, Priority.CRITICAL, "kill", "NOT FLAT at 10:16:09",
    "TCS MIS -20\nAttempts are used up. Send /kill again, or close these in the broker's own app.\n"
    "The desk is HALTED.",
)  # fmt: skip


CHECKLIST = Alert(
    "day:checklist:2026-11-23", NOW, Priority.FILL, "checklist", "Mon 23 Nov NOT READY: 1 to look at",
    "✓ Session: until 06:00 tomorrow\n✓ Instruments: of today\n✓ Desk: ACTIVE\n"
    "✗ TCS: -20 MIS has no stop\n✓ Left today: ₹3,000 of loss, 50\n  trades, 4 positions\n"
    "Auction stocks to 15:15, out 15:07\nStocks to 15:30, out 15:20\nF&O to 15:40, out 15:20",
)  # fmt: skip
DIFFERENCE = Alert(
    "difference:NSE:RELIANCE:MIS:20261123101458", NOW, Priority.CRITICAL, "difference",
    "Order from elsewhere: BUY 100 RELIANCE MIS @ ₹1,500.00",
    "Expected: +0 MIS.\nBroker: +100; BUY 100 RELIANCE MIS @ ₹1,500.00.\nDone: +100 to external.\n"
    "No entries in RELIANCE until your verdict: /adopt, /ignore or /flatten RELIANCE.",
)  # fmt: skip
TYPED = {
    "order": "/charges order",
    "whatif": "/charges RELIANCE 100 1420 MIS",
    "timetable": "/calendar RELIANCE",
    "quote": "/quote RELIANCE, NIFTY 8DEC 26000 CE",
    "find": "/find nifty 26d08 26000",
    "chain": "/chain NIFTY 8DEC",
    "closed": "/closed 1 Dec municipal elections",
}


async def parts() -> dict[str, str]:
    room = Room()
    room.desk.the_trades = [a_trade(1, "208.83"), a_trade(2, "-91.10")]
    room.desk.executed = [
        an_execution("RELIANCE", Side.BUY, 66, "1500.25"),
        an_execution("RELIANCE", Side.SELL, 66, "1512.40"),
        an_execution("TCS", Side.SELL, 20, "3500", held=Product.CNC),
    ]
    room.desk.the_funds = replace(
        room.desk.the_funds, receivable=D("69927.38"), settles_on=date(2026, 11, 25)
    )
    shown = {
        name: _shown(f"/{name}", await room.typed(f"/{name}"))
        for name in ("status", "positions", "pnl", "risk", "orders", "trades", "charges", "funds", "calendar")
    }
    for name, typed in TYPED.items():
        shown[name] = _shown(typed, await room.typed(typed))
    summary = "/start_strategy ema_crossover RELIANCE,TCS 1m fast=9 stop=1 ?"
    shown["start"] = _shown(summary, await room.typed(summary))
    shown["fill"] = _fenced(_alert(FILL))
    shown["checklist"] = _fenced(_alert(CHECKLIST))
    shown["kill"] = _shown("/kill", f"{await room.typed('/kill')}\n\n{_alert(FLAT)}\n\n{_alert(NOT_FLAT)}")
    shown["resume"] = _shown("/resume", await room.typed("/resume"))
    shown["commands"] = commands(room)
    return shown | await live_parts()


async def live_parts() -> dict[str, str]:
    """What only a desk with real money shows."""
    room = Room()
    account = room.desk.goes_live()
    shown = {name: _shown(f"/{name}", await room.typed(f"/{name}")) for name in ("login", "live", "holdings")}
    account.lines = RED
    shown["red"] = _shown("/live", await room.typed("/live"))
    account.lines = GREEN
    arming = [_shown(f"/{text}", await room.typed(f"/{text}")) for text in ("live 492039", "paper")]
    shown["arming"] = "\n\n".join(arming)
    held = replace(a_position("RELIANCE", 100, "1500", "1512.40", protected=False), owner=EXTERNAL)
    room.desk.the_view = replace(room.desk.the_view, armed=True, locks=(a_lock(),), positions=(held,))
    shown["difference"] = _fenced(_alert(DIFFERENCE))
    shown["locks"] = _shown("/locks", await room.typed("/locks"))
    shown["flatten"] = _shown("/flatten RELIANCE", await room.typed("/flatten RELIANCE"))
    return shown


def commands(room: Room) -> str:
    lines = ["| command | what it does | who | danger |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_row(item) for item in room.registry)])


def _row(item: Command) -> str:
    who = "owner, viewers" if item.role is Role.VIEWER else "owner"
    also = "".join(f", `/{alias}`" for alias in item.aliases)
    usage = item.usage.replace("|", "\\|")
    return f"| `{usage}`{also} | {item.help} | {who}{', terminal' * item.terminal_only} | {item.danger} |"


def _alert(alert: Alert) -> str:
    return plain_alert(render_alert(alert))


def _shown(command: str, answer: str | None) -> str:
    return _fenced(f"> {command}\n{answer}")


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"


def rewritten(page: str, made: dict[str, str]) -> str:
    """The page with every part as it now is; places and parts must match."""
    names = re.findall(r"<!-- begin: (\w+) -->", page)
    if sorted(names) != sorted(made):
        raise ValueError(f"docs/chat.md has places for {sorted(names)}, made were {sorted(made)}")
    for name, text in made.items():
        block = f"<!-- begin: {name} -->\n{text}\n<!-- end: {name} -->"
        page = re.sub(
            rf"<!-- begin: {name} -->.*?<!-- end: {name} -->", lambda _, b=block: b, page, flags=re.DOTALL
        )
    return page


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), asyncio.run(parts())), encoding="utf-8")
    print(f"{PAGE.name} is up to date")
