"""The day's reports as messages: whole, alone, in columns, and loud when something is to be looked at."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from fake_desk import NOW

from handlers.digest import choose, compose
from handlers.message import Line, Pre
from handlers.render.terminal import plain_alert
from handlers.telegram.render import render
from trader.domain.records import Alert, Priority

CHECKS = """\
✓ Session: valid until 06:00
✗ RELIANCE: +66 MIS has no stop
✓ Left today: ₹3,000 of loss, 50
  trades, 5 positions
Auction stocks to 15:15, out 15:07
Closed tomorrow: Guru Nanak Jayanti"""


def report(name: str, body: str = CHECKS, priority: Priority = Priority.FILL, days: int = 0) -> Alert:
    at = NOW - timedelta(days=days)
    return Alert(f"day:{name}:{at:%Y-%m-%d}", at, priority, name, f"{name} {at:%d %b}", body)


TOPICS = ("day", "checklist", "digest", "weekly")


@pytest.mark.parametrize("topic", TOPICS)
def test_each_report_is_a_message_of_its_own_however_many_wait(topic: str) -> None:
    waiting = [report(topic, days=n) for n in range(3)]
    for order in permutations(waiting):
        first = choose(order)
        assert first == (waiting[2],)  # the oldest
    other = Alert("x", NOW - timedelta(days=9), Priority.FILL, "fill", "BUY 1 TCS")
    assert choose([other, waiting[0]]) == (other,)


def test_a_report_keeps_its_lines_in_columns_on_a_phone_and_in_the_terminal() -> None:
    message = compose((report("checklist"),), NOW)
    head, table, run_on = message.reply.blocks
    assert isinstance(head, Line)
    assert head.bold
    assert isinstance(table, Pre)
    assert table.text == "\n".join(CHECKS.splitlines()[:-1])
    assert run_on == Line("Closed tomorrow: Guru Nanak Jayanti")  # 35 columns: no row of a table
    (part,) = render(message.reply.blocks)
    assert part.html.startswith("<b>checklist 23 Nov</b>\n<pre>✓ Session: valid until 06:00\n✗ RELIANCE")
    assert part.html.endswith("out 15:07</pre>\nClosed tomorrow: Guru Nanak Jayanti")
    assert plain_alert(message.reply).splitlines()[4:6] == [
        "│   trades, 5 positions",
        "│ Auction stocks to 15:15, out 15:07",
    ]


def test_long_sentences_are_no_table() -> None:
    message = compose(
        (report("digest", "A sentence much longer than a phone's monospaced line.\n\nNo trades."),), NOW
    )
    assert [type(block) for block in message.reply.blocks] == [Line, Line, Pre]


@pytest.mark.parametrize(
    ("priority", "silent"),
    [(Priority.FILL, False), (Priority.CRITICAL, False), (Priority.STRATEGY, True), (Priority.INFO, True)],
)
def test_what_is_to_be_looked_at_makes_a_sound(priority: Priority, silent: bool) -> None:
    assert compose((report("checklist", priority=priority),), NOW).silent is silent


def test_a_late_report_says_when_it_is_from() -> None:
    blocks = compose((report("weekly", days=2),), NOW).reply.blocks
    assert blocks[-1] == Line("From 21 Nov 10:15:02")


def test_other_alerts_stay_sentences() -> None:
    alert = Alert("f", NOW, Priority.FILL, "fill", "BUY 66 RELIANCE", "ema_crossover · 10:06:02\nstop ₹1")
    assert all(isinstance(block, Line) for block in compose((alert,), NOW).reply.blocks)
