"""/mute and /version: the house around the desk."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.common import tag_of
from handlers.message import Button, Line, Pre, Reply, say
from handlers.registry import Call, Command, Danger, Role, command
from handlers.render.figures import ago, moment, speed_text
from handlers.render.table import pairs
from handlers.typed import duration, no_more
from trader.domain.errors import InvalidInput
from trader.service.port import DeskPort

MUTE_USAGE = "/mute 30m or /mute off"
MUTE_SETTING = "mute_until"  # ISO time of the wall clock, or empty
LONGEST_MUTE = timedelta(hours=24)  # nobody remembers a longer one


@dataclass(frozen=True, slots=True)
class House:
    """What commands need beside the desk. ``mute`` tells the notifier until when (wall clock) to be quiet,
    None to speak again; ``now`` is the wall clock, aware."""

    mute: Callable[[datetime | None], None]
    now: Callable[[], datetime]


def mute_command(house: House) -> Command:
    @command(
        "mute",
        help="Quiet alerts for a while; critical ones still come",
        danger=Danger.READ,
        usage=MUTE_USAGE,
        more="At most 24h. Kills, halts, rejected orders and breached limits are never muted.",
    )
    async def mute(desk: DeskPort, call: Call) -> Reply:
        no_more(call.args[1:], MUTE_USAGE)
        if not call.args:
            return _muted_now(await desk.setting(MUTE_SETTING), house.now())
        word = call.args[0].casefold()
        if word == "off":
            await desk.put_setting(MUTE_SETTING, "")
            house.mute(None)
            return say("Alerts are on.")
        length = duration(word)
        if length is None or not timedelta(0) < length <= LONGEST_MUTE:
            raise InvalidInput(f"Expected a duration up to 24h, like 30m, or off. Usage: {MUTE_USAGE}")
        until = house.now() + length
        await desk.put_setting(MUTE_SETTING, until.isoformat())
        house.mute(until)
        return say(f"Quiet until {moment(until, seen_from=house.now())} IST. Critical alerts still come.")

    return mute


def _muted_now(stored: str | None, now: datetime) -> Reply:
    until = datetime.fromisoformat(stored) if stored else None
    quiet = until is not None and until > now
    text = f"Quiet until {moment(until, seen_from=now)} IST." if until and quiet else "Alerts are on."
    offers = [Button("30 min", "/mute 30m"), Button("2 hours", "/mute 2h")]
    return Reply((Line(text),), ((*offers, Button("Alerts on", "/mute off")) if quiet else tuple(offers),))


def version_command(house: House) -> Command:
    @command("version", help="Version, market and since when it runs", role=Role.VIEWER, danger=Danger.READ)
    async def version(desk: DeskPort, call: Call) -> Reply:
        no_more(call.args, "/version")
        about = desk.about()
        rows = [
            ("Trading", tag_of(desk)),
            ("Market", f"{about.market} {speed_text(about.speed)}".rstrip()),
            ("Python", platform.python_version()),
            ("Running", f"{ago(house.now() - about.started_at)}"),
            ("Since", moment(about.started_at, seen_from=house.now())),
        ]
        return Reply((Line(f"Munim {about.version}", bold=True), Pre(pairs(rows))))

    return version
