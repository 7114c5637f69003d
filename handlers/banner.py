"""The first thing a terminal shows."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.common import money_tag
from handlers.message import Line, Reply
from handlers.render.figures import speed_text
from trader.desk.view import DeskView
from trader.domain.records import DeskMode
from trader.domain.times import clock_text, day_text
from trader.service.port import About

TRY = (
    "/start_strategy ema_crossover RELIANCE 1m",
    "/status",
    "/kill",
)


def banner(about: About, view: DeskView, try_: Sequence[str] = TRY) -> Reply:
    """Mode, market and clock, and three commands to begin with."""
    clock = f"{day_text(view.at)} {clock_text(view.at)} IST {speed_text(about.speed)}".rstrip()
    lines = [
        Line(f"Munim {about.version} · {money_tag(about, view)} · {view.latch.mode}", bold=True),
        Line(f"Market: {about.market}, {view.session}"),
        Line(f"Clock: {clock}"),
    ]
    if view.latch.mode is not DeskMode.ACTIVE:
        lines.append(
            Line(f"Why {view.latch.mode}: {view.latch.reason.rstrip('.')}. /resume lets it trade again.")
        )
    lines.append(Line("Try " + ", ".join(try_[:-1]) + f" or {try_[-1]}. /help lists all, /quit ends."))
    return Reply(lines)
