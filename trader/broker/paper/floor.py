"""The paper exchange's memory: every order still of interest, and the one way to change it.

A change is gathered in a Step, written to the journal as one transaction, and only then taken into memory
and told; a step that could not be written has not happened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date

from trader.broker.paper.account import Account
from trader.broker.paper.journal import PaperExecution, PaperJournal
from trader.broker.paper.tally import Tally
from trader.broker.paper.working import WorkingOrder
from trader.domain.errors import CommitFailed, OutcomeUnknown
from trader.domain.instrument import InstrumentKey
from trader.domain.order import OrderId, OrderUpdate, Product, Side, Tag
from trader.domain.times import day_digits


class Floor:
    """``new_account`` opens the account as it was before anything traded."""

    def __init__(self, journal: PaperJournal, new_account: Callable[[], Account]) -> None:
        self._journal = journal
        self._new_account = new_account
        self._forget()

    def _forget(self) -> None:
        self.loaded = False
        self.orders: dict[OrderId, WorkingOrder] = {}  # in order of placing
        self.working: dict[InstrumentKey, dict[OrderId, None]] = {}  # ids, in order of placing
        self.in_transit: set[OrderId] = set()
        self.tags: set[Tag] = set()
        self.tally = Tally()
        self.account = self._new_account()
        self._serial = 0

    async def load(self) -> None:
        state = await self._journal.load()
        self._forget()
        executions: dict[OrderId, list[PaperExecution]] = defaultdict(list)
        for execution in state.executions:
            executions[execution.order_id].append(execution)
        for order in sorted(state.orders, key=lambda o: o.update.order_id):
            self._take(WorkingOrder.recorded(order, executions[order.update.order_id]))
        self._count(state.executions)
        self._serial = max(state.serial, *(_serial_of(i) for i in self.orders), 0)
        self.loaded = True

    def next_id(self, day: date, step: Step) -> OrderId:
        """19 digits like Kite's (kite.md 5): the day, then how many there ever were. The number is used
        up once the order is in the journal."""
        new = sum(order_id not in self.orders for order_id in step.orders)
        return OrderId(f"{day_digits(day)}{self._serial + 1 + new:013d}")

    def ids_at(self, key: InstrumentKey) -> list[OrderId]:
        return list(self.working.get(key, ()))

    def working_ids(self) -> list[OrderId]:
        return [order_id for ids in self.working.values() for order_id in ids]

    def all_working(self) -> list[OrderId]:
        return sorted(self.working_ids())

    async def commit(self, step: Step, tell: Callable[[OrderUpdate], None]) -> None:
        """Write, remember, tell. Raises CommitFailed when nothing was written; after any other failure
        nobody knows what was, so memory is thrown away, to be read again from the journal."""
        if not step.orders:
            return
        try:
            await self._journal.append([o.record for o in step.orders.values()], step.executions)
        except CommitFailed:
            raise
        except Exception as error:
            self.loaded = False
            raise OutcomeUnknown(f"The paper exchange's journal failed: {error}") from error
        except BaseException:  # a cancelled task may have written, too
            self.loaded = False
            raise
        for order in step.orders.values():
            self._take(order)
        self._count(step.executions)
        for update in step.told:
            tell(update)

    def prune(self, today: date) -> None:
        """Forget finished orders of earlier days; their executions are in the tally and the account."""
        for order_id in [i for i, o in self.orders.items() if o.final and o.day < today]:
            self.tags.discard(self.orders.pop(order_id).update.tag or Tag(""))
        self.tally.forget(today)

    def pending(self, order: WorkingOrder) -> int:
        """Units of ``order`` that are not in the tally: those it may still trade, and those it traded in a
        step that is not committed."""
        known = self.orders.get(order.order_id)
        counted = known.update.filled_quantity if known is not None else 0
        return (order.update.filled_quantity if order.final else order.update.quantity) - counted

    def traded_in(self, step: Step, key: InstrumentKey, product: Product) -> int:
        """Signed units that ``step`` has traded and the tally does not know yet."""
        signed = 0
        for order_id, order in step.orders.items():
            if (order.update.key, order.update.product) == (key, product):
                known = self.orders.get(order_id)
                counted = known.update.filled_quantity if known is not None else 0
                signed += (order.update.filled_quantity - counted) * order.update.side.sign
        return signed

    def sellable(self, key: InstrumentKey, product: Product, step: Step, asking: OrderId) -> int:
        """Units held for delivery that no working order but the asking one has promised already."""
        held = self.tally.quantity(key, product)
        for order_id in self.ids_at(key):
            order = step.get(order_id)
            if order_id == asking:
                continue
            update = order.update
            if update.product is product and update.side is Side.SELL and not order.in_transit:
                held -= self.pending(order)
        return held

    def _count(self, executions: Iterable[PaperExecution]) -> None:
        for execution in executions:
            order = self.orders[execution.order_id].update
            self.tally.add(order, execution)
            self.account.add(order, execution)

    def _take(self, order: WorkingOrder) -> None:
        order_id, key = order.order_id, order.update.key
        self._serial = max(self._serial, _serial_of(order_id))
        self.orders[order_id] = order
        if order.update.tag is not None:
            self.tags.add(order.update.tag)
        if order.in_transit:
            self.in_transit.add(order_id)
        else:
            self.in_transit.discard(order_id)
        if not order.final:
            self.working.setdefault(key, {})[order_id] = None
        elif key in self.working:
            self.working[key].pop(order_id, None)
            if not self.working[key]:
                del self.working[key]


class Step:
    """What one moment changes: the orders' new values, executions, and what is to be told, in order."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self.orders: dict[OrderId, WorkingOrder] = {}
        self.executions: list[PaperExecution] = []
        self.told: list[OrderUpdate] = []

    def get(self, order_id: OrderId) -> WorkingOrder:
        return self.orders.get(order_id) or self._floor.orders[order_id]

    def put(self, order: WorkingOrder, *, told: OrderUpdate | None = None) -> None:
        """Keep ``order``; tell of it unless its update equals ``told``."""
        self.orders[order.order_id] = order
        if order.update != told:
            self.told.append(order.update)


def _serial_of(order_id: OrderId) -> int:
    return int(order_id[6:])
