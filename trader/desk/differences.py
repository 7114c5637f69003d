"""What the broker shows and this desk did not do: classified, told once, and its instrument locked.

During an event the parts of the desk note what they came upon; at its end ``settle`` looks at the external
positions as they then are. One that the owner has not been asked about at its present size locks its
instrument for entries, in the same transaction that books it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from trader.desk.conversions import conversions, one_price, take_from
from trader.desk.effects import Watch
from trader.desk.events import BookRead
from trader.desk.exits import Exits
from trader.desk.exposure import ended
from trader.desk.locks import LOCKS, MANUAL, NOTHING_LOCKED, STANDING, Difference, Held, Lock, dumped, loaded
from trader.desk.notes import UNEXPLAINED, Note, held_words, order_words, story, title_of
from trader.desk.orders import describe
from trader.desk.portfolio import Booked, Slot, own_sale, slot_of
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.desk.updates import Updates
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.market import Interval
from trader.domain.money import ZERO, decimal_of, rupees
from trader.domain.order import (
    EXTERNAL,
    Order,
    OrderState,
    OrderType,
    OrderUpdate,
    Product,
    Purpose,
    Tag,
)
from trader.domain.position import Fill, Position
from trader.domain.records import Priority, Setting
from trader.domain.values import replaced

TOPIC = "difference"
# The stream has this long to tell of a fill before the book's telling of it is a difference.
TELLS_WITHIN_SECONDS = 5
_STOPS = (OrderType.SL, OrderType.SL_M)


class Differences:
    """Notes that wait for their order to end, and what was told of, are not recorded: after a restart the
    owner may be told twice, never not at all."""

    def __init__(self, state: DeskState, sending: Sending, updates: Updates, exits: Exits) -> None:
        self._state = state
        self._sending = sending
        self._updates = updates
        self._exits = exits
        self._notes: dict[Held, list[Note]] = {}
        self._drift: Difference | None = None  # while a drift is being booked: its kind
        self._asked_of: set[Tag] = set()  # orders from elsewhere whose fills the owner was asked about
        self._orphans: set[Tag] = set()  # told of
        self._kept = dumped({}, {})

    def restore(self, turn: Turn, settings: Mapping[str, str]) -> None:
        state = self._state
        state.locks, state.asked = loaded(settings.get(LOCKS, ""))
        self._kept = dumped(state.locks, state.asked)
        for slot in sorted(state.portfolio.open_slots()):
            if slot.owner in (EXTERNAL, MANUAL):
                self._watch(turn, slot.key)

    # -- orders ----------------------------------------------------------------------------------

    def stranger(self, turn: Turn, order: Order, update: OrderUpdate) -> None:
        """An order from elsewhere was first seen. What it fills is told with the position it makes."""
        if update.filled_quantity or update.status.final:
            return
        if self._strange_stop(turn, order, update):
            return
        closes = self._closes(order)
        self._tell(
            turn,
            (order.key, order.product),
            f"Order from elsewhere: {order_words(order)}",
            "Expected: no order.\n"
            f"Broker: {order.order_type} {update.status.lower()}, not made by this desk.\n"
            "Done: nothing; it counts in the exposure."
            + ("\nIt would close what the desk protects with its own stop: keep one of them." * closes),
            order.tag,
        )

    def _strange_stop(self, turn: Turn, order: Order, update: OrderUpdate) -> bool:
        """Whether it is a stop of this desk that the ledger has lost, and has nothing to close (any more)."""
        lost = self._ours(update) and order.order_type in _STOPS and not self._closes(order)
        if lost:
            self._sending.withdraw(turn, order, "it has nothing to close", None)
            self._tell_orphan(turn, order, f"The ledger does not know its tag {update.tag}.")
        return lost

    def filled(self, turn: Turn, order: Order, fill: Fill, booked: Booked) -> None:
        """A share of what an order from elsewhere traded, just booked to its owner."""
        del turn
        kind = self._drift or self._kind(order)
        if kind is Difference.DRIFT and fill.owner != EXTERNAL:
            kind = Difference.VANISHED
        tag = None if self._drift else order.tag
        part = "" if order.filled_quantity >= order.quantity else f", {order.filled_quantity} filled"
        shown = "no order for it" if self._drift else f"{order_words(order)}{part} @ {rupees(fill.price)}"
        net = booked.trade.net if booked.trade is not None else None
        self._note(
            fill.key, fill.product, Note(kind, fill.owner, fill.quantity * fill.side.sign, shown, tag, net)
        )

    def missed(self, turn: Turn, before: Order, update: OrderUpdate, asked_at: datetime) -> None:
        """An order of ours shows more filled than was booked, and the stream had its time to tell."""
        waited = (asked_at - update.at).total_seconds()
        if before.order_id is None or before.purpose is Purpose.EXTERNAL or waited < TELLS_WITHIN_SECONDS:
            return
        self._tell(
            turn,
            (before.key, before.product),
            f"Found in the book: {describe(before)}",
            f"Expected: {before.filled_quantity} filled.\n"
            f"Broker: {update.filled_quantity} filled, never told.\nDone: booked.",
            before.tag,
            Priority.INFO,
        )

    def orphans(self, turn: Turn, book: BookRead) -> None:
        """Orders of ours that the book shows working and that have nothing to close any more: one that
        this very reading left behind, or that outlived its position."""
        state = self._state
        ours = {order.order_id for order in state.working.values()}
        for update in book.orders:
            if update.order_id not in ours or update.status.final:
                continue
            tag = state.tags_by_id.get(update.order_id)
            order = state.working.get(tag) if tag is not None else None
            if order is not None and order.purpose is Purpose.EXTERNAL:
                self._strange_stop(turn, order, update)
                continue
            if order is None or order.purpose is Purpose.ENTRY:
                continue
            slot = slot_of(order)
            asked = order.state is OrderState.PENDING_CANCEL and order.updated_at < turn.at
            if asked or state.portfolio.position(slot).quantity * order.side.sign < 0:
                continue
            self._sending.cancel(turn, order, "nothing is left to close")
            self._tell_orphan(turn, order, "The position it was to close is gone.")

    def _tell_orphan(self, turn: Turn, order: Order, why: str) -> None:
        if order.tag in self._orphans:
            return
        self._orphans.add(order.tag)
        self._tell(
            turn,
            (order.key, order.product),
            f"Orphan {order.purpose if order.owner != EXTERNAL else 'stop'}: {order_words(order)}",
            f"Expected: no order; {why}\nBroker: {order.order_type} still working.\nDone: it is cancelled.",
            order.tag,
            Priority.FILL,
        )

    def _kind(self, order: Order) -> Difference:
        state, at = self._state, order.request.at
        deadline = state.calendar.deadlines(state.trading_day(at), state.venue(order.key)).broker_at
        by_broker = order.product is Product.MIS and at >= deadline
        return Difference.SQUAREOFF if by_broker else Difference.MANUAL

    def _ours(self, update: OrderUpdate) -> bool:
        return (update.tag or "").startswith(f"M{self._state.config.ledger_code}")

    def _closes(self, order: Order) -> bool:
        return self._state.portfolio.net().get((order.key, order.product), 0) * order.side.sign < 0

    # -- positions -------------------------------------------------------------------------------

    def settled(self, turn: Turn, book: BookRead) -> None:
        """The owner's sale of shares of his own is no position any more once the broker shows a later day's
        trades alone. Before those of this reading are booked, which would blur what is of which day."""
        state = self._state
        today = state.trading_day(turn.at)
        for slot, held in list(state.portfolio.open_slots().items()):
            if not own_sale(held) or held.updated_at is None or state.trading_day(held.updated_at) == today:
                continue
            at = (slot.key, slot.product)
            traded = sum(
                update.filled_quantity * update.side.sign
                for update in book.orders
                if (update.key, update.product) == at and state.trading_day(update.at) == today
            )
            if sum(p.quantity for p in book.positions if (p.key, p.product) == at) == traded:
                gone = replaced(held, quantity=0, average_price=ZERO, opened_at=None, updated_at=turn.at)
                state.portfolio.adopt(gone)
                turn.write(gone)

    def drifted(self, turn: Turn, book: BookRead, differences: Mapping[Held, int]) -> list[str]:
        """The broker is right about what is held: what no order explains closes positions of ours or becomes
        an external one. What nobody can explain, in words."""
        averages = {(p.key, p.product): p.average_price for p in book.positions}
        even = one_price(differences, averages)
        lines = []
        converted = self._converted(turn, differences)
        for at, quantity in differences.items():
            if at in converted:
                continue
            key, product = at
            self._drift = self._drifted_why(turn, at, quantity)
            if self._drift in UNEXPLAINED:
                lines.append(f"{symbol_of(key)} {product} {quantity:+d}")
            quote = self._state.quotes.get(key)
            average = even.get(at) or averages.get(at, ZERO)
            price = decimal_of(quote.last) if quote is not None and at not in even else average
            left = self._updates.taken_away(turn, key, product, quantity, price)
            if left:
                self._take_in(turn, at, average, Note(Difference.DRIFT, EXTERNAL, left, "no order for it"))
            self._drift = None
        return lines

    def _converted(self, turn: Turn, differences: Mapping[Held, int]) -> set[Held]:
        """Book what was converted to another product; it is the owner's from then on. What that explains."""
        explained = set[Held]()
        for one in list(conversions(self._state, differences)):
            shown, price = take_from(turn, self._state, self._exits, one)
            at = (one.key, one.new)
            held = self._state.portfolio.position(Slot(EXTERNAL, *at))
            total = held.quantity + one.quantity
            average = (held.average_price * held.quantity + price * one.quantity) / total
            self._take_in(turn, at, average, Note(Difference.CONVERTED, EXTERNAL, one.quantity, shown))
            explained |= {at, (one.key, one.old)}
        return explained

    def _drifted_why(self, turn: Turn, at: Held, quantity: int) -> Difference:
        """The broker squares off intraday positions, and its order may not be shown any more; the exchange
        settles contracts at their end, and has no order for it."""
        state, (key, product) = self._state, at
        against = [
            position
            for slot, position in state.portfolio.open_slots().items()
            if (slot.key, slot.product) == at and position.quantity * quantity < 0
        ]
        seen = max((p.updated_at for p in against if p.updated_at is not None), default=None)
        more = abs(quantity) > sum(abs(position.quantity) for position in against)
        if against and not more and ended(state, key, state.trading_day(turn.at)):
            return Difference.EXPIRED
        if product is not Product.MIS or seen is None or more:
            return Difference.DRIFT
        deadline = state.calendar.deadlines(state.trading_day(seen), state.venue(key)).broker_at
        return Difference.SQUAREOFF if turn.at >= deadline else Difference.DRIFT

    def _take_in(self, turn: Turn, at: Held, average: Decimal, note: Note) -> None:
        held = self._state.portfolio.position(Slot(EXTERNAL, *at))
        position = Position(
            EXTERNAL,
            *at,
            quantity=held.quantity + note.quantity,
            average_price=average or held.average_price,
            realised=held.realised,
            charges=held.charges,
            opened_at=held.opened_at or turn.at,
            updated_at=turn.at,
        )
        self._state.portfolio.adopt(position)
        turn.write(position)
        self._note(*at, note)

    def _note(self, key: InstrumentKey, product: Product, note: Note) -> None:
        self._notes.setdefault((key, product), []).append(note)

    # -- at the end of an event ------------------------------------------------------------------

    def settle(self, turn: Turn) -> None:
        """Lock, ask, tell, unlock. Before the first reading what is held is hearsay."""
        state = self._state
        if not state.reconciled:
            return
        held = {
            (slot.key, slot.product): position.quantity
            for slot, position in state.portfolio.open_slots().items()
            if slot.owner == EXTERNAL
        }
        if not (held or state.locks or state.asked or self._notes) and self._kept == NOTHING_LOCKED:
            return  # nearly always
        locked = {key for key, lock in state.locks.items() if lock.kind not in STANDING}
        ended = locked - {key for key, _ in held}
        stories: dict[InstrumentKey, str] = {}
        for at in sorted({*held, *state.asked, *self._notes}):
            notes = self._notes.get(at, [])
            if at[0] in ended and {note.owner for note in notes} == {EXTERNAL}:
                stories[at[0]] = self._story(at, self._notes.pop(at))  # told with the unlocking
            self._look(turn, at, held.get(at, 0))
        for key in sorted(ended):
            if state.locks[key].kind not in STANDING:
                self._unlock(turn, key, state.locks[key], stories.get(key, ""))
        text = dumped(state.locks, state.asked)
        if text != self._kept:
            self._kept = text
            turn.write(Setting(LOCKS, text))

    def _look(self, turn: Turn, at: Held, quantity: int) -> None:
        state, notes = self._state, self._notes.get(at, [])
        changed = quantity != state.asked.get(at, 0)
        if changed and quantity and self._still_filling(at):
            return  # told with its first fill, and again when it ends
        self._notes.pop(at, None)
        vanished = any(note.kind is Difference.VANISHED for note in notes)
        left = self._exits.leaving(Slot(EXTERNAL, *at))
        if changed and quantity and not left:
            state.asked[at] = quantity
            self._ask(turn, at, quantity, notes)
            return
        if quantity:
            state.asked[at] = quantity
        else:
            state.asked.pop(at, None)
        if vanished:
            self._ask(turn, at, quantity, notes)
        elif notes:
            self._tell_notes(turn, at, notes)

    def _still_filling(self, at: Held) -> bool:
        return any(
            order.tag in self._asked_of and at[0] in self._state.locks
            for order in self._state.working.values()
            if order.purpose is Purpose.EXTERNAL and (order.key, order.product) == at
        )

    def _ask(self, turn: Turn, at: Held, quantity: int, notes: Sequence[Note]) -> None:
        """Lock the instrument and ask the owner."""
        key, product = at
        kind = notes[-1].kind if notes else Difference.DRIFT
        unexplained = kind in UNEXPLAINED
        title = title_of(at, notes, kind) if notes else f"Not this desk's: {held_words(at, quantity)}"
        symbol = symbol_of(key)
        text = f"{kind}, {quantity:+d} {product} from elsewhere." if quantity else f"{kind}, {product}."
        before = self._state.locks.get(key)
        self._state.locks[key] = Lock(kind, text, before.since if before else turn.at, product)
        self._asked_of.update(note.tag for note in notes if note.tag is not None)
        for order in list(self._state.working.values()):
            if order.purpose is Purpose.ENTRY and order.key == key:
                self._sending.withdraw(turn, order, f"{symbol} is locked", None, alone=True)
        self._watch(turn, key)
        held = quantity and not own_sale(self._state.portfolio.position(Slot(EXTERNAL, *at)))
        verdicts = f"/adopt, /ignore or /flatten {symbol}." if held else f"/ignore {symbol} unlocks it."
        self._tell(
            turn,
            at,
            title,
            f"{self._story(at, notes)}\nNo entries in {symbol} until your verdict: {verdicts}",
            None if unexplained or not notes else notes[-1].tag,
            asks=True,
        )

    def _tell_notes(self, turn: Turn, at: Held, notes: Sequence[Note]) -> None:
        owners = {note.owner for note in notes}
        quiet = owners == {EXTERNAL} and not self._exits.leaving(Slot(EXTERNAL, *at))
        self._tell(
            turn,
            at,
            title_of(at, notes, notes[-1].kind),
            self._story(at, notes),
            notes[-1].tag,
            Priority.INFO if quiet else Priority.CRITICAL,
        )

    def _story(self, at: Held, notes: Sequence[Note]) -> str:
        return story(at, self._state.portfolio.net().get(at, 0), notes)

    def _unlock(self, turn: Turn, key: InstrumentKey, lock: Lock, story: str) -> None:
        """What was held from elsewhere is gone: the owner closed it, or had it flattened."""
        del self._state.locks[key]
        symbol = symbol_of(key)
        self._tell(
            turn,
            (key, lock.product),
            f"Unlocked: {symbol}",
            f"{story}\nNothing is held there from elsewhere any more. Strategies may enter again.".strip(),
            Tag("unlocked"),
            Priority.INFO,
        )

    def _watch(self, turn: Turn, key: InstrumentKey) -> None:
        """Its price marks it, as every position's does."""
        if self._state.instrument(key) is not None:
            turn.send(Watch(key, Interval.M1))

    def _tell(
        self,
        turn: Turn,
        at: Held,
        title: str,
        body: str,
        cause: Tag | None,
        priority: Priority = Priority.CRITICAL,
        *,
        asks: bool = False,
    ) -> None:
        """Chat puts the verdicts' buttons under the alerts whose id begins with ``difference:``."""
        key, product = at
        alert_id = f"{'difference' if asks else 'seen'}:{key}:{product}:{turn.at:%Y%m%d%H%M%S}"
        turn.alert(f"{alert_id}:{cause}" if cause else alert_id, priority, TOPIC, title, body)
