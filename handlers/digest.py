"""Alerts as messages: which goes next, alone or together with its like, and how it reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import groupby

from handlers.locks import VERDICTS, verdicts
from handlers.message import Block, Button, Line, Pre, Reply
from handlers.render.text import WIDTH, columns, cut
from trader.domain.instrument import InstrumentKey
from trader.domain.records import Alert, Priority
from trader.domain.times import clock_text, date_short, ist

LATE = timedelta(minutes=2)  # an alert older than this shows when it was raised
LINES = 10  # of a digest; the rest is counted

_BEFORE_ALL = ("kill", "breach")  # topics

# Reports: each is a message of its own, however many wait; told by their titles they would say nothing.
DAY = frozenset(("day", "checklist", "digest", "weekly"))  # topics

DIFFERENCE = "difference"  # topic of what the broker shows and the desk did not make

_NOUNS = {"fill": "fills", "breach": "breaches", DIFFERENCE: "differences"}  # other topics: "order messages"
_ASKS = re.compile(rf"{DIFFERENCE}:([A-Z]{{3}}:[A-Z0-9&_.-]+):[A-Z]+:.+")  # an alert that wants a verdict


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out in one piece and is delivered, or not, as a whole."""

    alerts: tuple[Alert, ...]
    reply: Reply
    silent: bool

    @property
    def critical(self) -> bool:
        return self.alerts[0].priority is Priority.CRITICAL


def choose(waiting: Sequence[Alert], *, alone: Collection[str] = ()) -> tuple[Alert, ...]:
    """What to send next: the most urgent alert, of those the oldest. Critical ones, the day's reports, those
    that ask something and those whose ids are in ``alone`` go by themselves; the others take along what waits
    of their topic.

    At one message a second a burst of rejected orders takes its time; nobody waits behind it to hear that
    the desk is flat, or halted."""
    if not waiting:
        return ()
    first = min(waiting, key=lambda alert: (alert.priority, alert.topic not in _BEFORE_ALL, alert.at))
    if (
        first.priority is Priority.CRITICAL
        or first.topic in DAY
        or first.alert_id in alone
        or asked_for(first)
    ):
        return (first,)
    like = [
        alert
        for alert in waiting
        if alert.topic == first.topic and alert.alert_id not in alone and not asked_for(alert)
    ]
    return tuple(sorted(like, key=lambda alert: alert.at))


def compose(alerts: tuple[Alert, ...], now: datetime, *, repeat: bool = False) -> Message:
    """``now`` is on the clock the alerts were dated by, the market's."""
    reply = (
        render_alert(alerts[0], raised=_raised(alerts[0], now), repeat=repeat)
        if len(alerts) == 1
        else render_digest(alerts, now)
    )
    return Message(alerts, reply, silent=min(a.priority for a in alerts) >= Priority.STRATEGY)


def render_alert(alert: Alert, *, raised: str = "", repeat: bool = False) -> Reply:
    """Title, body, and where needed the time it is from, or the id by which to know a repetition."""
    lines: list[Block] = [Line(f"{alert.title} (may repeat)" if repeat else alert.title, bold=True)]
    texts = [text.rstrip() for text in alert.body.splitlines() if text.strip()]
    lines += figures(texts) if alert.topic in DAY else [Line(text) for text in texts]
    if raised:
        lines.append(Line(f"From {raised}"))
    if repeat:
        lines.append(Line(f"id {short_id(alert)}"))
    return Reply(tuple(lines), asked_for(alert))


def asked_for(alert: Alert) -> tuple[tuple[Button, ...], ...]:
    """The buttons of an alert that waits for the owner's word: of a difference, whose id names the
    instrument, the verdicts it speaks of."""
    match = _ASKS.fullmatch(alert.alert_id) if alert.topic == DIFFERENCE else None
    if match is None:
        return ()
    named = {word for word, _ in VERDICTS if f"/{word}" in alert.body}
    return (verdicts(InstrumentKey(match[1]), lambda word: not named or word in named),)


def figures(texts: Sequence[str]) -> list[Block]:
    """A report's lines: what fits a phone keeps its columns, longer sentences run on."""
    blocks: list[Block] = []
    for fits, run in groupby(texts, key=lambda text: columns(text) <= WIDTH):
        if fits:
            blocks.append(Pre("\n".join(run)))
        else:
            blocks += [Line(line.strip()) for line in run]
    return blocks


def render_digest(alerts: Sequence[Alert], now: datetime) -> Reply:
    topic = alerts[0].topic
    lines = [Line(f"{len(alerts)} {_NOUNS.get(topic, f'{topic} messages')}", bold=True)]
    late = any(_raised(alert, now) for alert in alerts)
    for alert in alerts[:LINES]:
        lines.append(Line(f"{_moment(alert.at, now)} {alert.title}" if late else alert.title))
        reason = next((text.strip() for text in alert.body.splitlines() if text.strip()), "")
        if reason and topic != "fill":  # a fill's title says it all
            lines.append(Line(cut(reason, WIDTH)))
    if len(alerts) > LINES:
        lines.append(Line(f"…and {len(alerts) - LINES} more"))
    return Reply(tuple(lines))


def short_id(alert: Alert) -> str:
    return blake2b(alert.alert_id.encode(), digest_size=3).hexdigest()


def _raised(alert: Alert, now: datetime) -> str:
    return _moment(alert.at, now) if now - alert.at > LATE else ""


def _moment(at: datetime, now: datetime) -> str:
    """``09:41:07``, with the date before it unless that is today's."""
    here = ist(at)
    return clock_text(at) if here.date() == ist(now).date() else f"{date_short(here)} {clock_text(at)}"
