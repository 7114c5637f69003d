"""Random days: whatever the market, the broker, the owner and the power supply do, the promises hold."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from broker_book import Reply
from checked_world import ANSWERED, CheckedWorld
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from world import BUY, COVER, LEAVE, OURS, RAISE, REL, SHORT, TCS

from trader.desk.commands import Judge, Pause, Reconcile, Resume, StartStrategy, StopStrategy, Verdict
from trader.desk.limits import RiskLimits
from trader.domain.order import BrokerStatus, Purpose, Side
from trader.domain.records import InstanceStatus

LIMITS = RiskLimits(
    max_daily_loss=Decimal(2500), max_exposure_pct=Decimal(150), max_trades_per_day=12, loss_streak=3,
    cooldown=timedelta(minutes=2), orders_per_second=4,
)  # fmt: skip
KEYS = st.sampled_from([REL, TCS])


class Day(RuleBasedStateMachine):
    """Placements are answered truthfully, or not taken. Everything else may go wrong."""

    replies: ClassVar[tuple[Reply, ...]] = ANSWERED
    may_flip: ClassVar[bool] = False

    @initialize(trail=st.booleans(), announces=st.booleans())
    def opens(self, trail: bool, announces: bool) -> None:
        self.world = CheckedWorld(LIMITS)
        self.world.may_flip = self.may_flip
        self.world.broker.announces = announces
        self.world.start("scripted", "RELIANCE", "TCS", trail="0.4" if trail else "0")
        self.world.tick(1000.0)
        self.world.tick(1000.0, TCS)
        self.goes_in(REL, BUY)

    # -- the market ------------------------------------------------------------------------------

    @rule(key=KEYS, bps=st.integers(-120, 120))
    def trades(self, key: str, bps: int) -> None:
        last = self.world.prices[key]  # type: ignore[index]  # one of the two
        self.world.tick(max(round(last * (1 + bps / 10_000), 1), 1.0), key)

    @rule(key=KEYS, code=st.sampled_from([BUY, SHORT]))
    def goes_in(self, key: str, code: int) -> None:
        """The owner wants it to trade, and its strategy does."""
        world = self.world
        world.command(Resume())
        running = world.state.instances.get(OURS)
        if running is None or not running.instance.status.alive:
            world.command(StartStrategy("scripted", ("RELIANCE", "TCS"), "1m"))
        elif running.instance.status is InstanceStatus.PAUSED:
            world.command(Resume(OURS))
        world.tick(world.prices[key], key)  # type: ignore[index,arg-type]  # one of the two
        world.bar(code, key)

    @rule(key=KEYS, code=st.sampled_from([SHORT, LEAVE, COVER, 0]))
    def bar_closes(self, key: str, code: int) -> None:
        self.world.bar(code, key)

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        self.world.clock(seconds)

    # -- the broker ------------------------------------------------------------------------------

    @rule(data=st.data(), number=st.integers(1, 3))
    def will_answer_placements(self, data: st.DataObject, number: int) -> None:
        self.world.broker.replies.extend(data.draw(st.sampled_from(self.replies)) for _ in range(number))

    @rule(reply=st.sampled_from(Reply), number=st.integers(1, 3))
    def will_answer_changes(self, reply: Reply, number: int) -> None:
        self.world.broker.change_replies.extend([reply] * number)

    @rule(fills=st.booleans(), part=st.sampled_from([None, 7, 40]))
    def finds_takers(self, fills: bool, part: int | None) -> None:
        self.world.broker.fills, self.world.broker.slice = fills, part

    @rule()
    def stream_hangs(self) -> None:
        self.world.deliver = False

    @rule(data=st.data(), lost=st.booleans())
    def stream_catches_up(self, data: st.DataObject, lost: bool) -> None:
        """Reordered, doubled, and perhaps incomplete."""
        world = self.world
        numbers = list(range(len(world.mail)))
        if numbers:
            order = data.draw(st.permutations(numbers + numbers[:2]))
            world.post(*(order[: len(order) // 2] if lost else order))
        world.mail.clear()
        world.deliver = True

    @rule(readable=st.booleans())
    def reads(self, readable: bool) -> None:
        self.world.broker.readable = readable

    @precondition(lambda self: self.world.broker.orders())
    @rule(data=st.data(), cancel=st.booleans())
    def ends_an_order(self, data: st.DataObject, cancel: bool) -> None:
        broker = self.world.broker
        resting = [r.order_id for r in broker.orders() if not r.status.final]
        if resting:
            order_id = data.draw(st.sampled_from(resting))
            if cancel and broker.rows[order_id].status is not BrokerStatus.REJECTED:
                broker.change_replies.appendleft(Reply.OK)
                broker.cancel(order_id)
            else:
                broker.reject(order_id, "RMS: square-off in progress")
            self.world._drain()

    # -- the owner and the power supply ----------------------------------------------------------

    @rule(whole=st.booleans())
    def owner_pauses(self, whole: bool) -> None:
        self.world.command(Pause(None if whole else OURS))

    @rule(whole=st.booleans())
    def owner_resumes(self, whole: bool) -> None:
        self.world.command(Resume(None if whole else OURS))

    @rule(flatten=st.booleans())
    def owner_kills(self, flatten: bool) -> None:
        self.world.kill(flatten=flatten)

    @rule(close=st.booleans())
    def owner_stops(self, close: bool) -> None:
        self.world.command(StopStrategy("scripted", close=close))
        self.world.command(StartStrategy("scripted", ("RELIANCE", "TCS"), "1m"))

    @rule()
    def strategy_raises(self) -> None:
        self.world.bar(RAISE)

    @rule(clean=st.booleans())
    def restarts(self, clean: bool) -> None:
        self.world.restart(clean=clean)
        if clean:
            self.world.command(Resume())

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.comes_to_rest()


class DarkDay(Day):
    """The broker also takes orders and never says so: two exits may cross, and are taken back."""

    replies = tuple(Reply)
    may_flip = True

    @rule(hide=st.booleans())
    def book_hides_orders(self, hide: bool) -> None:
        broker = self.world.broker
        unseen = {o.order_id for o in self.world.working() if o.order_id is not None}
        broker.hidden = {i for i in broker.rows if i not in unseen} if hide else set()

    @rule()
    def entries_never_multiply(self) -> None:
        entered = [o for o in self.world.state.orders.values() if o.request.purpose is Purpose.ENTRY]
        assert len([o for o in entered if o.filled_quantity]) <= LIMITS.max_trades_per_day


class AppDay(Day):
    """The owner also trades in the broker's app, and judges what comes of it."""

    @rule(
        key=KEYS,
        side=st.sampled_from(Side),
        quantity=st.sampled_from([5, 40, 130]),
        filled=st.booleans(),
        told=st.booleans(),
    )
    def owner_trades_in_the_app(self, key: str, side: Side, quantity: int, filled: bool, told: bool) -> None:
        price = str(self.world.prices[key])  # type: ignore[index]  # one of the two
        self.world.broker.elsewhere(key, side, quantity, price, told=told, filled=filled)  # type: ignore[arg-type]  # the same
        self.world._drain()

    @rule(key=KEYS, verdict=st.sampled_from(Verdict))
    def owner_judges(self, key: str, verdict: Verdict) -> None:
        before = self.world.account()
        self.world.command(Judge(key, verdict))
        if verdict is not Verdict.FLATTEN:
            assert self.world.account() == before

    @rule()
    def owner_reconciles(self) -> None:
        self.world.command(Reconcile())


_RUNS = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
TestDay = Day.TestCase
TestDay.settings = _RUNS
TestDarkDay = DarkDay.TestCase
TestDarkDay.settings = _RUNS
TestAppDay = AppDay.TestCase
TestAppDay.settings = _RUNS
