"""/locks: instruments nothing is entered in, because the broker's book and the desk's differ there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handlers.common import money_tag
from handlers.message import Button, Line, Pre, Reply, Style, say
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import moment
from handlers.render.table import table
from handlers.symbols import one_symbol
from trader.desk.portfolio import DELIVERED
from trader.desk.view import DeskView, LockView, PositionView
from trader.domain.counting import counted
from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, InstrumentKey, symbol_of
from trader.domain.order import EXTERNAL
from trader.service.port import DeskPort

USAGE = "/locks [SYMBOL]"
VERDICTS = (("adopt", Style.PRIMARY), ("ignore", Style.PLAIN), ("flatten", Style.PLAIN))
WHAT_THEY_DO = (
    "Adopt: the desk looks after it. Ignore: you do. Flatten: it is closed. "
    "Until then nothing is entered there."
)
NOTHING_HELD = "Ignore unlocks it. Until then nothing is entered there."


@command(
    "locks",
    help="Instruments locked until you have decided",
    role=Role.VIEWER,
    danger=Danger.READ,
    usage=USAGE,
    more="Where the broker holds something else than the desk's own orders made, the instrument is locked: "
    "no entries, exits go on. /adopt, /ignore or /flatten unlocks it.",
)
async def locks(desk: DeskPort, call: Call) -> Reply:
    view = desk.view()
    if not call.args:
        return _all(desk, view)
    key = held_key(desk, view, call.raw)
    found = [lock for lock in view.locks if lock.key == key]
    if not found:
        return say(f"{name_of_key(key)} is not locked.", *(_held(p) for p in external(view, key)))
    head = Line(f"{money_tag(desk.about(), view)} · {name_of_key(key)} is locked", bold=True)
    return Reply((head, Pre(_table(found, view)), Line(_explained(found))), (_decisions(found),))


def _all(desk: DeskPort, view: DeskView) -> Reply:
    head = Line(f"{money_tag(desk.about(), view)} · {len(view.locks)} locked", bold=True)
    if not view.locks:
        return Reply((head, Line("Nothing is locked.")))
    keys = list(dict.fromkeys(lock.key for lock in view.locks))
    rows = [_decisions(view.locks)] if len(keys) == 1 else [(_choice(key),) for key in keys]
    return Reply((head, Pre(_table(view.locks, view)), Line(_explained(view.locks))), rows)


def _table(shown: Sequence[LockView], view: DeskView) -> str:
    return table(
        [(name_of_key(lock.key), lock.product, f"{lock.quantity:+d}") for lock in shown],
        ("Symbol", "Product", "Qty"),
        "<<>",
        whole=True,
        details=[[lock.text, f"since {moment(lock.since, seen_from=view.at)}"] for lock in shown],
    )


def _decisions(found: Sequence[LockView]) -> tuple[Button, ...]:
    """Where nothing is held there is nothing to look after, and nothing to close."""
    held = any(map(_at_stake, found))
    return verdicts(found[0].key, lambda word: held or word == "ignore")


def _explained(found: Sequence[LockView]) -> str:
    return WHAT_THEY_DO if any(map(_at_stake, found)) else NOTHING_HELD


def _at_stake(lock: LockView) -> bool:
    """Not what the owner sold of shares of his own: nobody is short in delivery."""
    return lock.quantity > 0 or (lock.quantity < 0 and lock.product not in DELIVERED)


def verdicts(key: InstrumentKey, offered: Callable[[str], bool] = lambda word: True) -> tuple[Button, ...]:
    """Adopt, Ignore, Flatten. Found later, below an old alert, they show how things stand."""
    return tuple(
        Button(word.capitalize(), f"/{word} {key}", style, later=f"/locks {key}")
        for word, style in VERDICTS
        if offered(word)
    )


def _choice(key: InstrumentKey) -> Button:
    return Button(name_of_key(key), f"/locks {key}", later=f"/locks {key}")


def which(view: DeskView, word: str) -> Reply:
    """The question of a verdict without a symbol."""
    keys = list(dict.fromkeys(lock.key for lock in view.locks))
    if not keys:
        return say("Nothing is locked.")
    rows = tuple((Button(f"{word} {name_of_key(key)}", f"/{word.lower()} {key}"),) for key in keys)
    return Reply((Line(f"{word} which of {counted(len(keys), 'locked instrument')}?", bold=True),), rows)


# -- which instrument is meant ---------------------------------------------------------------------------


def held_key(desk: DeskPort, view: DeskView, raw: str) -> InstrumentKey:
    """The instrument somebody means, first among those that are locked or held from elsewhere: the broker may
    hold what the list of instruments has not. Raises UnknownName; InvalidInput when it could be two."""
    wanted = raw.strip().upper()
    theirs = dict.fromkeys((*(lock.key for lock in view.locks), *(p.key for p in external(view))))
    meant = [key for key in theirs if wanted in (key, symbol_of(key))]
    if len(meant) > 1:
        raise InvalidInput(f"That could be {' or '.join(meant)}; say which. Nothing was done.")
    return meant[0] if meant else desk.find(one_symbol(raw)).key


def external(view: DeskView, key: InstrumentKey | None = None) -> list[PositionView]:
    """Positions the desk did not make."""
    return [p for p in view.positions if p.owner == EXTERNAL and key in (None, p.key)]


def name_of_key(key: InstrumentKey) -> str:
    """As short as can be said: a stock without its exchange is taken for NSE's."""
    return key if key.startswith(f"{Exchange.BSE}:") else symbol_of(key)


def _held(position: PositionView) -> str:
    return f"Held from elsewhere: {position.quantity:+d} {position.product}."
