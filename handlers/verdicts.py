"""/reconcile, /adopt, /ignore and /flatten: the broker's book against the desk's, and the owner's word."""

from __future__ import annotations

from handlers.common import money_tag, tell
from handlers.locks import external, held_key, name_of_key, which
from handlers.message import Button, Line, Reply, Style
from handlers.registry import Call, Danger, command
from handlers.render.figures import ago, price
from handlers.typed import no_more
from trader.desk.commands import Judge, Reconcile, Verdict
from trader.desk.view import DeskView
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.service.port import DeskPort

SHOWN = "@"  # before what a confirmation showed


@command(
    "reconcile",
    help="Read the broker's book now and compare",
    danger=Danger.READ,
    more="It is read at the start, after every reconnection and from time to time by itself. A difference "
    "locks the instrument and is pushed.",
)
async def reconcile(desk: DeskPort, call: Call) -> Reply:
    no_more(call.args, "/reconcile")
    return await tell(desk, call, Reconcile())


@command(
    "adopt",
    help="Let the desk look after a position it did not make",
    danger=Danger.ADDS_RISK,  # the instrument may be traded again
    usage="/adopt SYMBOL",
    more="It gets a stop, and is squared off like the desk's own. The instrument is unlocked.",
)
async def adopt(desk: DeskPort, call: Call) -> Reply:
    return await _judge(desk, call, Verdict.ADOPT)


@command(
    "ignore",
    help="Look after a position yourself; the desk leaves it alone",
    danger=Danger.ADDS_RISK,  # the instrument may be traded again
    usage="/ignore SYMBOL",
    more="It counts in the exposure; the desk gives it no stop. The instrument is unlocked.",
)
async def ignore(desk: DeskPort, call: Call) -> Reply:
    return await _judge(desk, call, Verdict.IGNORE)


async def _judge(desk: DeskPort, call: Call, verdict: Verdict) -> Reply:
    view = desk.view()
    if not call.args:
        return which(view, verdict.capitalize())
    return await tell(desk, call, Judge(held_key(desk, view, call.raw), verdict))


@command(
    "flatten",
    help="Close a position the desk did not make",
    danger=Danger.REDUCES_RISK,
    usage="/flatten SYMBOL",
    more="You are asked first, with what is held. The desk's own positions are closed by /stop_strategy or "
    "/kill.",
)
async def flatten(desk: DeskPort, call: Call) -> Reply:
    view = desk.view()
    if not call.args:
        return which(view, "Flatten")
    symbol, _, shown = call.raw.partition(f" {SHOWN}")
    key = held_key(desk, view, symbol)
    now = _standing(view, key)
    if not now:
        raise InvalidInput(
            f"Nothing of {name_of_key(key)} is held that the desk did not make, and it is not locked. "
            "Nothing was done."
        )
    # A confirmation is of the quantity that was shown, not of another one that came since.
    if call.confirmed and shown == now:
        return await tell(desk, call, Judge(key, Verdict.FLATTEN))
    changed = "What is held has changed since you were asked." if call.confirmed and shown else ""
    return _are_you_sure(desk, view, key, changed or _late(call))


def _standing(view: DeskView, key: InstrumentKey) -> str:
    """What there is of it, as one word: ``MIS+100`` or ``lock:MIS+100``. Empty when there is nothing."""
    held = [f"{p.product}{p.quantity:+d}" for p in external(view, key)]
    locked = [f"lock:{lock.product}{lock.quantity:+d}" for lock in view.locks if lock.key == key]
    return ",".join(sorted((*held, *locked)))


def _late(call: Call) -> str:
    return f"This was sent {ago(call.age)} ago; nothing was done yet." if call.stale else ""


def _are_you_sure(desk: DeskPort, view: DeskView, key: InstrumentKey, note: str) -> Reply:
    name = name_of_key(key)
    blocks = [Line(f"{money_tag(desk.about(), view)} · flatten {name}?", bold=True)]
    held = external(view, key)
    blocks += [
        Line(f"{p.quantity:+d} {p.product} from {price(p.average_price)}, last {price(p.last_price)}")
        for p in held
    ]
    products = {p.product for p in held}
    blocks += [
        Line(f"{lock.quantity:+d} {lock.product}: {lock.text}")
        for lock in view.locks
        if lock.key == key and lock.product not in products
    ]
    if note:
        blocks.append(Line(note))
    go = Button(f"Flatten {name}", f"/flatten {key} {SHOWN}{_standing(view, key)}", Style.DANGER)
    return Reply(blocks, ((go, Button("Leave it", f"/locks {key}")),))
