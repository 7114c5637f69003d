"""/status: the whole desk on one screen."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from handlers.common import money_tag, refresh
from handlers.locks import name_of_key
from handlers.message import Button, Line, Pre, Reply
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import ago, moment, speed_text
from handlers.render.table import pairs
from handlers.render.text import WIDTH, wrap
from handlers.timetable import squareoff_line
from handlers.typed import no_more
from trader.desk.view import DeskView
from trader.domain.counting import counted
from trader.domain.errors import InvalidInput
from trader.domain.money import rupees
from trader.domain.records import DeskMode, InstanceStatus
from trader.domain.times import clock_text, day_text
from trader.market.phases import Phase, Venue
from trader.service.port import About, DeskPort

QUIET_FEED = timedelta(seconds=30)  # of the owner's time, with the market open


@command(
    "status",
    help="The whole desk on one screen",
    role=Role.VIEWER,
    danger=Danger.READ,
    aliases=("s",),
)
async def status(desk: DeskPort, call: Call) -> Reply:
    no_more(call.args, "/status")
    view = desk.view()
    trading = all(desk.calendar().phase(view.at, venue) is Phase.OPEN for venue in Venue)
    return status_screen(desk.about(), view, squareoff_line(desk, view), _over(desk), trading=trading)


def _over(desk: DeskPort) -> str:
    """Why there is no session at the broker, and what to do; empty while there is one, or where there is no
    broker to log in to."""
    try:
        session = desk.account().session_line()
    except InvalidInput:
        return ""
    return "" if session.ok else session.detail


def status_screen(
    about: About, view: DeskView, squareoff: str = "", over: str = "", *, trading: bool = True
) -> Reply:
    """``squareoff`` says when open intraday positions are closed; ``over`` why nobody is logged in at the
    broker; ``trading`` that every kind of instrument trades continuously now, so that silence means
    something."""
    head = f"{money_tag(about, view)} · {view.latch.mode}{' · KILL under way' if view.killing else ''}"
    blocks: list[Line | Pre] = [Line(head, bold=True)]
    if view.latch.mode is not DeskMode.ACTIVE:
        since = moment(view.latch.since, seen_from=view.at)
        by = "" if view.latch.by in view.latch.reason else f", by {view.latch.by}"
        blocks.append(Line(f"{view.latch.reason} (since {since}{by})"))
    if over:
        blocks += [Line("LOGGED OUT of the broker: no prices, no orders.", bold=True), Line(over)]
    lines = [*wrap(view.session, WIDTH), pairs(_rows(about, view, trading)), *wrap(squareoff, WIDTH)]
    blocks.append(Pre("\n".join(line for line in lines if line)))
    buttons = refresh("/status")
    return Reply(blocks, (*buttons, (Button("Log in", "/login"),)) if over else buttons)


def _rows(about: About, view: DeskView, trading: bool) -> list[tuple[str, str]]:
    bare = sum(1 for p in view.positions if not p.protected)
    alive = [i.instance for i in view.instances if i.instance.status.alive]
    failed = sum(1 for i in view.instances if i.instance.status is InstanceStatus.FAILED)
    running = ", ".join(
        i.name if i.status is InstanceStatus.RUNNING else f"{i.name} ({i.status.lower()})" for i in alive
    )
    rows = [
        ("Market", about.market),
        ("Time", f"{day_text(view.at)} {clock_text(view.at)} {speed_text(about.speed)}".rstrip()),
        ("Equity", rupees(view.equity)),
        ("Day P&L", f"{rupees(view.pnl.net, signed=True)}{_share_of(view.pnl.net, view.capital)}"),
        ("Open", f"{counted(len(view.positions), 'position')}{f', {bare} UNPROTECTED' if bare else ''}"),
        *([("Locked", f"{_locked(view)}: /locks")] if view.locks else []),
        ("Orders", f"{len(view.orders)} working"),
        ("Running", running or "no strategy"),
        ("Feed", feed_text(about, view, trading)),
    ]
    if failed:
        rows.insert(-1, ("Failed", f"{failed}, see /strategies"))
    return rows


def _locked(view: DeskView) -> str:
    return ", ".join(dict.fromkeys(name_of_key(lock.key) for lock in view.locks))


def _share_of(amount: Decimal, capital: Decimal) -> str:
    return f" ({100 * amount / capital:+.2f}%)" if capital > 0 else ""


def feed_text(about: About, view: DeskView, trading: bool) -> str:
    """How old the newest price is, in market time, with a mark when an open market has gone quiet."""
    if view.last_tick_at is None:
        return "no price yet"
    age = view.at - view.last_tick_at
    quiet = trading and about.speed is not None and age > QUIET_FEED * about.speed
    return f"{counted(view.quotes, 'price')}, newest {ago(age)} old{' — QUIET' if quiet else ''}"
