"""Alerts as messages: which goes next, alone or together with its like, and how it reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import groupby

from handlers.message import Block, Line, Pre, Reply
from handlers.render.text import WIDTH, columns
from trader.domain.records import Alert, Priority
from trader.domain.times import clock_text, ist

LATE = timedelta(minutes=2)  # an alert older than this shows when it was raised
LINES = 10  # of a digest; the rest is counted

_BEFORE_ALL = ("kill", "breach")  # topics

# Reports: each is a message of its own, however many wait; told by their titles they would say nothing.
DAY = frozenset(("day", "checklist", "digest", "weekly"))  # topics

_NOUNS = {"fill": "fills", "breach": "breaches"}  # other topics: "order messages"


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
    """What to send next: the most urgent alert, of those the oldest. Critical ones, the day's reports and
    those whose ids are in ``alone`` go by themselves; the others take along what waits of their topic.

    At one message a second a burst of rejected orders takes its time; nobody waits behind it to hear that
    the desk is flat, or halted."""
    if not waiting:
        return ()
    first = min(waiting, key=lambda alert: (alert.priority, alert.topic not in _BEFORE_ALL, alert.at))
    if first.priority is Priority.CRITICAL or first.topic in DAY or first.alert_id in alone:
        return (first,)
    like = [alert for alert in waiting if alert.topic == first.topic and alert.alert_id not in alone]
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
    return Reply(tuple(lines))


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
    return clock_text(at) if here.date() == ist(now).date() else f"{here:%d %b} {clock_text(at)}"
