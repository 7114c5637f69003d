"""/orders and /trades: what is working at the broker, and what has been finished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from handlers.common import money_tag, tag_of
from handlers.message import Line, Pre, Reply
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import price
from handlers.render.table import ends, table
from handlers.typed import count, no_more
from trader.domain.counting import counted
from trader.domain.errors import InvalidInput
from trader.domain.instrument import symbol_of
from trader.domain.money import ZERO, rupees
from trader.domain.order import Order, OrderState
from trader.domain.position import Trade
from trader.domain.times import clock_text, day_text, ist
from trader.service.port import DeskPort

ORDERS_USAGE = "/orders [how many, or today]"
TRADES_USAGE = "/trades [how many, or today]"
MOST = 50  # a screen nobody scrolls through; the ledger has the rest
ALL_OF_A_DAY = 100_000


@command(
    "orders",
    help="Orders working at the broker",
    role=Role.VIEWER,
    danger=Danger.READ,
    usage=ORDERS_USAGE,
    more="With a number, or the word today, also those that are over: filled, cancelled or refused.",
)
async def orders(desk: DeskPort, call: Call) -> Reply:
    if call.args:
        return await _orders_of_late(desk, call.args)
    view = desk.view()
    today = await desk.orders(ist(desk.now()).date(), ALL_OF_A_DAY)
    head = Line(f"{money_tag(desk.about(), view)} · {counted(len(view.orders), 'working order')}", bold=True)
    blocks: list[Line | Pre] = [head]
    if view.orders:
        blocks.append(Pre(_order_table(view.orders)))
    if today:
        blocks.append(Line(f"Today {len(today)}: {_tally(today)}."))
    return Reply(blocks)


async def _orders_of_late(desk: DeskPort, words: Sequence[str]) -> Reply:
    """Orders whatever became of them, the newest last."""
    wanted = _how_many(words, ORDERS_USAGE)
    today = wanted is None
    wanted = wanted or MOST
    if today:
        found = await desk.orders(ist(desk.now()).date(), ALL_OF_A_DAY)
    else:
        found = await desk.orders(None, wanted + 1)  # one more tells whether there are more
    before, shown = found[:-wanted], found[-wanted:]
    summed = found if today else shown
    last = "last " if before and not today else ""
    many = counted(len(summed), "order") if summed else "no orders"
    head = Line(f"{tag_of(desk)} · {last}{many}{' today' if today else ''}", bold=True)
    if not found:
        return Reply((head,))
    days = []
    for day, group in ((d, list(g)) for d, g in groupby(shown, key=lambda o: day_text(o.request.at))):
        cut = before and day_text(before[-1].request.at) == day  # a part of a day must not look like the day
        days.append(Pre(f"{day}{f', last {len(group)}' if cut else ''}\n{_order_table(group)}"))
    return Reply((head, *days, Line(f"{_tally(summed)}.")))


def _how_many(words: Sequence[str], usage: str) -> int | None:
    """The number asked for; None for today."""
    word, *rest = words
    no_more(tuple(rest), usage)
    if word.casefold() == "today":
        return None
    wanted = count(word, most=MOST)
    if wanted is None:
        raise InvalidInput(f"Expected a number from 1 to {MOST} or the word today. Usage: {usage}")
    return wanted


def _order_table(orders: Sequence[Order]) -> str:
    rows = [(symbol_of(o.key), o.side, _quantity(o), o.order_type) for o in orders]
    details = [_order_details(o) for o in orders]
    return table(rows, ("Symbol", "Side", "Qty", "Type"), "<<><", details=details, whole=True)


def _quantity(order: Order) -> str:
    return f"{order.filled_quantity}/{order.quantity}" if order.filled_quantity else str(order.quantity)


def _order_details(order: Order) -> list[str]:
    terms = []
    if order.trigger_price is not None:
        terms.append(f"trigger {price(order.trigger_price)}")
    if order.price is not None:
        terms.append(f"limit {price(order.price)}")
    state = order.state.replace("_", " ")
    if order.state is OrderState.UNKNOWN:
        state = "UNKNOWN: being looked for at the broker"
    if order.filled_quantity:
        state += f" at {price(order.average_price)}"
    why = order.message if not order.working else ""
    lines = [", ".join(terms), state, why, f"{order.purpose}, {order.owner}", sent(order.request.at, order)]
    return [line for line in lines if line]


def sent(at: datetime, order: Order | None) -> str:
    """When an order was sent, and when it last changed where that is another minute: an exit is often a stop
    of hours ago that was given new terms."""
    first = f"{ist(at):%H:%M}"
    last = f"{ist(order.updated_at):%H:%M}" if order is not None else first
    return f"sent {first}" + (f", last change {last}" if last != first else "")


def _tally(orders: Sequence[Order]) -> str:
    states = Counter("working" if o.working else o.state.replace("_", " ").lower() for o in orders)
    return ", ".join(f"{n} {state}" for state, n in states.most_common())


@command(
    "trades",
    help="Finished round trips with their net result",
    role=Role.VIEWER,
    danger=Danger.READ,
    usage=TRADES_USAGE,
    more="Ten without a number, the day with today. Net is gross less the charges of its fills; "
    "/charges has their lines.",
)
async def trades(desk: DeskPort, call: Call) -> Reply:
    wanted = _how_many(call.args or ("10",), TRADES_USAGE)
    today = wanted is None
    wanted = wanted or MOST
    if today:
        found = await desk.trades(ist(desk.now()).date(), ALL_OF_A_DAY)
    else:
        found = await desk.trades(None, wanted + 1)  # one more tells whether there are more
    tag = tag_of(desk)
    if not found:
        return Reply((Line(f"{tag} · no finished trades", bold=True),))
    before, shown = found[:-wanted], found[-wanted:]
    summed = found if today else shown
    net = sum((t.net for t in summed), ZERO)
    won = sum(1 for t in summed if t.net > 0)
    last = "last " if before and not today else ""
    head = f"{tag} · {last}{counted(len(summed), 'trade')}, {won} won, net {rupees(net, signed=True)}"
    days = []
    for day, group in ((d, list(g)) for d, g in groupby(shown, key=lambda t: day_text(t.exit_at))):
        cut = before and day_text(before[-1].exit_at) == day  # a part of a day must not look like the day
        title = f"{day}, last {len(group)}" if cut else day
        net_shown = price(sum((t.net for t in group), ZERO), signed=True)
        days.append(Pre(f"{ends(title, net_shown)}\n{_trade_table(group)}"))
    return Reply((Line(head, bold=True), *days, Pre(_total(summed))))


def _total(trades: Sequence[Trade]) -> str:
    gross, charges = sum((t.pnl for t in trades), ZERO), sum((t.charges for t in trades), ZERO)
    return "\n".join(
        (
            ends("Gross", rupees(gross, signed=True)),
            ends("Charges", rupees(-charges)),
            ends("Net", rupees(gross - charges, signed=True)),
        )
    )


def _trade_table(trades: Sequence[Trade]) -> str:
    return table(
        [(symbol_of(t.key), t.reason, price(t.net, signed=True)) for t in trades],
        ("Symbol", "Why", "Net ₹"),
        "<<>",
        whole=True,
        details=[
            [
                f"{t.side} {t.quantity} at {price(t.entry_price)} → {price(t.exit_price)}",
                f"{clock_text(t.entry_at)} to {clock_text(t.exit_at)}",
                f"gross {price(t.pnl, signed=True)}, charges {price(t.charges)}",
            ]
            for t in trades
        ],
    )
