"""Everything behind the wire, put together: market, exchange, desk, account, session."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sandbox.kite.account import Account
from sandbox.kite.agenda import Agenda
from sandbox.kite.catalogue import default_listings
from sandbox.kite.desk import OrderDesk, working_orders
from sandbox.kite.exchange import Exchange
from sandbox.kite.faults import Fault, Faults, Kind
from sandbox.kite.gtt import Triggers
from sandbox.kite.history import History
from sandbox.kite.limits import Limits
from sandbox.kite.listings import Listing, Listings
from sandbox.kite.login import Login
from sandbox.kite.market import Hours, Market
from sandbox.kite.orders import Ids, Order
from sandbox.kite.people import App, Rms
from sandbox.kite.readings import Readings
from sandbox.kite.session import Client, Session
from sandbox.kite.stream import Stream
from sandbox.kite.times import Clock


class World:
    """Moves only when ``pass_time`` is called; the server does so for every request and price."""

    def __init__(
        self,
        clock: Clock,
        *,
        client: Client,
        listings: Iterable[Listing] | None,
        hours: Hours,
        cash: float,
        seed: int,
        heartbeat: float,
    ) -> None:
        self.agenda = Agenda(clock)
        today = self.agenda.now.date()
        self.listings = Listings(default_listings(today) if listings is None else listings)
        self.client, self.hours, self.limits = client, hours, Limits()
        self.market = Market(self.listings, self.agenda, hours)
        self.exchange = Exchange(self.market, self.agenda, Ids())
        self.account = Account(self.market, cash)
        self.account.working = lambda: working_orders(self.exchange)
        self.desk = OrderDesk(self.exchange, self.account, self.market, client.user_id)
        self.triggers = Triggers(self.desk, self.agenda)
        self.history = History(self.agenda, hours, seed)
        self.market.listeners.append(self.history.record)
        self.session = Session(client, self.agenda)
        self.login = Login(self.session)
        self.faults = Faults(self.agenda)
        self.stream = Stream(self.market, self.session, self.faults, client.user_id, heartbeat)
        self.readings = Readings(self.desk, self.account)
        self.app, self.rms = App(self.desk), Rms(self.desk)
        self.exchange.filled = self.account.book
        self.exchange.told = self.stream.order_update
        self._day: date = today
        self._wire_faults()

    def pass_time(self) -> None:
        """Catch up with the clock."""
        today = self.agenda.now.date()
        if today != self._day:
            self._day = today
            self.agenda.run()
            self.account.new_day(today)
            self.market.new_day()
        self.rms.follow_deadlines()
        self.exchange.follow_sessions()
        self.agenda.run()
        self.stream.drop_strangers()

    def _wire_faults(self) -> None:
        conduct, faults = self.desk.conduct, self.faults

        def rejection(_: Order) -> str | None:
            fault = faults.use(Kind.REJECT)
            return None if fault is None else fault.message or "The order was rejected by the exchange."

        def invisible() -> float:
            fault = faults.use(Kind.INVISIBLE)
            return 0.0 if fault is None else fault.seconds or 90.0

        def other_login(_: Fault) -> None:
            self.session.grant()
            self.stream.drop_strangers()

        def kill_token(_: Fault) -> None:
            self.session.kill()
            self.stream.drop_strangers()

        def square_off(_: Fault) -> None:
            self.rms.square_off()

        def ask_consent(fault: Fault) -> None:
            self.login.consent_needed = fault in faults.active

        conduct.reject_with, conduct.invisible_seconds = rejection, invisible
        faults.begins |= {
            Kind.STALE: lambda _: self.readings.freeze(),
            Kind.HALF_OPEN: lambda _: self.stream.silence(),
            Kind.DROP_STREAM: lambda _: self.stream.drop(),
            Kind.KILL_TOKEN: kill_token,
            Kind.OTHER_LOGIN: other_login,
            Kind.CONSENT: ask_consent,
            Kind.SQUARE_OFF: square_off,
        }
        faults.ends |= {
            Kind.STALE: lambda _: self.readings.thaw(),
            Kind.HALF_OPEN: lambda _: self.stream.unsilence(),
            Kind.CONSENT: ask_consent,
        }
