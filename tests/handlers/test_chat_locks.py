"""What the broker holds and the desk did not make: seen, asked about, decided; and what lies in the demat."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from chat_room import OWNER, VIEWER, Room, nonce, seen
from fake_account import a_lock
from fake_desk import NOW, D, a_position
from hypothesis import given
from hypothesis import strategies as st

from handlers.digest import choose, compose, render_alert
from handlers.dispatch import EXPIRED, OLD
from handlers.message import Kind, Outgoing, Pre, Style
from handlers.nonces import LONGEST, NONCE, later_of
from handlers.render.terminal import plain_alert
from handlers.render.text import WIDTH, columns
from trader.desk.commands import Judge, Reconcile, Verdict
from trader.desk.view import LockView
from trader.domain.errors import InvalidInput
from trader.domain.funds import Holding
from trader.domain.instrument import InstrumentKey, instrument_key
from trader.domain.order import EXTERNAL, Product
from trader.domain.records import Alert, Priority

CALL = "NFO:NIFTY26D0826000CE"


def locked(room: Room, *locks: LockView, held: bool = True) -> Room:
    """The desk with these locks, and with the external positions behind them."""
    positions = [
        replace(
            a_position("X", lock.quantity, "1500.00", "1512.40", protected=False),
            owner=EXTERNAL, key=lock.key, product=lock.product,
        )
        for lock in locks
        if held and lock.quantity
    ]  # fmt: skip
    room.desk.the_view = replace(room.desk.the_view, locks=locks, positions=tuple(positions))
    return room


@pytest.fixture
def room() -> Room:
    room = Room()
    room.desk.goes_live(armed=True)
    return locked(room, a_lock())


@pytest.fixture
def two(room: Room) -> Room:
    return locked(room, a_lock(), a_lock(key=CALL, quantity=-130, product=Product.NRML))


def judged(room: Room) -> list[tuple[str, Verdict]]:
    return [(c.symbol, c.verdict) for c, _, _ in room.desk.asked if isinstance(c, Judge)]


# -- looking ------------------------------------------------------------------------------------------


async def test_status_and_positions_show_what_is_locked(two: Room) -> None:
    status = " ".join((await two.typed("/status") or "").split())
    assert "Locked RELIANCE, NIFTY26D0826000CE: /locks" in status
    shown = await two.typed("/positions") or ""
    assert "LOCKED RELIANCE: unexplained position, +100 MIS from elsewhere." in shown
    assert "LOCKED NIFTY26D0826000CE: unexplained position, -130 NRML from elsewhere." in shown
    two.desk.the_view = replace(two.desk.the_view, positions=())
    assert "Nothing is open.\nLOCKED RELIANCE" in (await two.typed("/positions") or "")


@pytest.mark.parametrize("text", ["/status", "/positions"])
async def test_nothing_is_said_of_locks_where_there_are_none(text: str) -> None:
    assert "ocked" not in (await Room().typed(text) or "").casefold()


async def test_the_locks_are_listed_and_lead_to_each(two: Room) -> None:
    listed = await two.offered("/locks", VIEWER)
    assert (seen(listed) or "").startswith("LIVE · ARMED · 2 locked\n")
    one = await two.press(listed, "NIFTY26D0826000CE", VIEWER)
    assert "NIFTY26D0826000CE is locked" in (seen(one) or "")
    assert not one.nonces  # a viewer decides nothing
    owners = await two.press(await two.offered("/locks"), "NIFTY26D0826000CE")
    assert [b.label for b in owners.reply.buttons[0]] == ["Adopt", "Ignore", "Flatten"]


@pytest.mark.parametrize(("quantity", "product"), [(0, Product.MIS), (-20, Product.CNC), (-20, Product.MTF)])
async def test_a_lock_with_nothing_at_stake_can_only_be_ignored(
    room: Room, quantity: int, product: Product
) -> None:
    """Less than nothing of delivery is shares of his own that the owner sold."""
    locked(room, a_lock(quantity=quantity, product=product))
    outgoing = await room.offered("/locks")
    assert [b.label for b in outgoing.reply.buttons[0]] == ["Ignore"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/locks reliance", "RELIANCE is locked"),
        ("/locks NSE:RELIANCE", "RELIANCE is locked"),
        ("/locks NIFTY 8DEC 26000 CE", "NIFTY26D0826000CE is locked"),
        ("/locks NFO:NIFTY26D0826000CE", "NIFTY26D0826000CE is locked"),
        ("/locks TCS", "TCS is not locked."),
        ("/locks RELIANC", "Did you mean RELIANCE?"),
    ],
)
async def test_a_lock_is_found_by_whatever_its_instrument_is_called(two: Room, text: str, shown: str) -> None:
    assert shown in (await two.typed(text) or "")


async def test_what_the_list_of_instruments_has_not_can_be_judged_all_the_same(room: Room) -> None:
    locked(room, a_lock(key="BSE:OBSCURE"))
    assert "BSE:OBSCURE is locked" in (await room.typed("/locks obscure") or "")
    await room.typed("/adopt obscure")
    assert judged(room) == [("BSE:OBSCURE", Verdict.ADOPT)]


async def test_a_name_on_two_exchanges_is_asked_about(room: Room) -> None:
    locked(room, a_lock(), a_lock(key="BSE:RELIANCE"))
    for text in ("/adopt RELIANCE", "/flatten RELIANCE", "/locks RELIANCE"):
        assert "That could be NSE:RELIANCE or BSE:RELIANCE" in (await room.typed(text) or "")
    await room.typed("/adopt BSE:RELIANCE")
    assert judged(room) == [("BSE:RELIANCE", Verdict.ADOPT)]


@pytest.mark.parametrize("quantity", [1, -9_999_999])
async def test_the_screens_of_locks_fit_a_phone(room: Room, quantity: int) -> None:
    locked(room, a_lock(key="NFO:BANKNIFTY26DEC124500PE", quantity=quantity), a_lock(quantity=quantity))
    for text in ("/locks", "/locks RELIANCE", "/status", "/positions", "/holdings"):
        tables = [b for b in (await room.offered(text)).reply.blocks if isinstance(b, Pre)]
        assert tables
        assert all(columns(line) <= WIDTH for table in tables for line in table.text.splitlines()), text


# -- deciding -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "verdict"), [("adopt", Verdict.ADOPT), ("ignore", Verdict.IGNORE)])
@pytest.mark.parametrize("symbol", ["RELIANCE", "reliance", "NSE:RELIANCE"])
async def test_adopt_and_ignore_act_at_once(room: Room, word: str, verdict: Verdict, symbol: str) -> None:
    await room.typed(f"/{word} {symbol}")
    assert judged(room) == [("NSE:RELIANCE", verdict)]


async def test_flatten_is_asked_about_with_what_is_held(room: Room) -> None:
    asked = await room.offered("/flatten reliance")
    assert seen(asked) == (
        "LIVE · ARMED · flatten RELIANCE?\n+100 MIS from 1,500.00, last 1,512.40\n"
        "1) Flatten RELIANCE  2) Leave it"
    )
    assert asked.reply.buttons[0][0].style is Style.DANGER
    assert judged(room) == []
    await room.pressed(asked, "Flatten RELIANCE")
    assert judged(room) == [("NSE:RELIANCE", Verdict.FLATTEN)]
    assert await room.pressed(asked, "Flatten RELIANCE") == EXPIRED
    assert len(judged(room)) == 1


async def test_a_confirmation_does_not_cover_what_came_after_it(room: Room) -> None:
    asked = await room.offered("/flatten RELIANCE")
    locked(room, a_lock(quantity=900))
    again = await room.press(asked, "Flatten RELIANCE")
    assert judged(room) == []
    assert "+900 MIS" in (seen(again) or "")
    assert "has changed since you were asked" in (seen(again) or "")
    await room.pressed(again, "Flatten RELIANCE")
    assert judged(room) == [("NSE:RELIANCE", Verdict.FLATTEN)]


@pytest.mark.parametrize("shown", ["@", "@MIS+100", "@MIS+100,lock:MIS+100"])
async def test_typing_the_confirmation_is_not_confirming(room: Room, shown: str) -> None:
    await room.typed(f"/flatten RELIANCE {shown}")
    assert judged(room) == []


async def test_a_flatten_sent_long_ago_asks_and_says_so(room: Room) -> None:
    asked = await room.dispatcher(room.message("/flatten RELIANCE", age=7200))
    assert asked is not None
    assert "This was sent 2 h ago; nothing was done yet." in (seen(asked) or "")
    assert judged(room) == []
    await room.pressed(asked, "Flatten RELIANCE")
    assert judged(room) == [("NSE:RELIANCE", Verdict.FLATTEN)]


@pytest.mark.parametrize("text", ["/adopt RELIANCE", "/ignore RELIANCE"])
async def test_what_unlocks_is_never_acted_on_late(room: Room, text: str) -> None:
    assert "not run" in (await room.typed(text, age=61) or "")
    assert judged(room) == []


@pytest.mark.parametrize("text", ["/adopt RELIANCE", "/ignore RELIANCE"])
async def test_a_repeated_delivery_decides_once(room: Room, text: str) -> None:
    incoming = room.message(text)
    assert await room.dispatcher(incoming) is not None
    assert await room.dispatcher(incoming) is None
    assert len(judged(room)) == 1


async def test_what_was_ignored_can_still_be_flattened(room: Room) -> None:
    held = room.desk.the_view.positions
    room.desk.the_view = replace(room.desk.the_view, locks=(), positions=held)
    await room.pressed(await room.offered("/flatten RELIANCE"), "Flatten RELIANCE")
    assert judged(room) == [("NSE:RELIANCE", Verdict.FLATTEN)]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("/flatten TCS", "Nothing of TCS is held that the desk did not make"),
        ("/flatten RELIANC", "Did you mean RELIANCE?"),
        ("/adopt RELIANCE 100", "No symbol is called"),
        ("/adopt RELIANCE TCS", "No symbol is called"),
        ('/adopt "RELIANCE', "quotation mark"),
    ],
)
async def test_a_verdict_that_cannot_be_meant_does_nothing(room: Room, text: str, part: str) -> None:
    assert part in (await room.typed(text) or "")
    assert judged(room) == []


@pytest.mark.parametrize("word", ["adopt", "ignore", "flatten"])
async def test_a_verdict_without_a_symbol_asks_which(two: Room, word: str) -> None:
    which = await two.offered(f"/{word}")
    assert "of 2 locked instruments" in (seen(which) or "")
    label = f"{word.capitalize()} NIFTY26D0826000CE"
    answer = await two.press(which, label)
    if word == "flatten":
        answer = await two.press(answer, label)
    assert judged(two) == [(CALL, Verdict(word))]


@pytest.mark.parametrize("word", ["adopt", "ignore", "flatten"])
async def test_without_locks_there_is_nothing_to_choose(word: str) -> None:
    assert await Room().typed(f"/{word}") == "Nothing is locked."


async def test_reconcile_has_the_book_read(room: Room) -> None:
    assert await room.typed("/reconcile") == "Reading the broker's book."
    assert [type(c) for c, _, _ in room.desk.asked] == [Reconcile]


@given(st.sampled_from(["adopt", "ignore", "flatten", "locks"]), st.text(max_size=60))
def test_whatever_stands_behind_a_verdict_is_answered(word: str, text: str) -> None:
    room = locked(Room(), a_lock())
    assert asyncio.run(room.typed(f"/{word} {text}"))
    assert not any("failed; the log has it" in e.outcome for e in room.desk.audits)
    assert all(symbol == "NSE:RELIANCE" or ":" in symbol for symbol, _ in judged(room))
    assert Verdict.FLATTEN not in {verdict for _, verdict in judged(room)}


# -- alerts that ask ----------------------------------------------------------------------------------


def difference(
    alert_id: str = "difference:NSE:RELIANCE:MIS:20261123101458", body: str = "", **more: Any
) -> Alert:
    alert = Alert(
        alert_id, NOW, Priority.CRITICAL, "difference", "Order from elsewhere: BUY 100 RELIANCE MIS",
        body or "No entries in RELIANCE until your verdict: /adopt, /ignore or /flatten RELIANCE.",
    )  # fmt: skip
    return replace(alert, **more)


def pushed(room: Room, alert: Alert, user: int = OWNER) -> Outgoing:
    """The alert as it arrives on a phone."""
    return room.dispatcher.offer(user, compose((alert,), NOW).reply)


@pytest.mark.parametrize("label", ["Adopt", "Ignore"])
async def test_an_alerts_button_decides(room: Room, label: str) -> None:
    outgoing = pushed(room, difference())
    await room.pressed(outgoing, label)
    assert judged(room) == [("NSE:RELIANCE", Verdict(label.lower()))]


async def test_an_alerts_flatten_asks_first(room: Room) -> None:
    asked = await room.press(pushed(room, difference()), "Flatten")
    assert judged(room) == []
    await room.pressed(asked, "Flatten RELIANCE")
    assert judged(room) == [("NSE:RELIANCE", Verdict.FLATTEN)]


async def test_a_second_press_on_an_alert_decides_nothing_and_shows_how_it_stands(room: Room) -> None:
    outgoing = pushed(room, difference())
    await room.pressed(outgoing, "Adopt")
    for label in ("Adopt", "Ignore"):
        shown = await room.pressed(outgoing, label) or ""
        assert shown.startswith(f"{OLD}\nRELIANCE is not locked.")
    assert len(judged(room)) == 1


@pytest.mark.parametrize("label", ["Adopt", "Ignore", "Flatten"])
@pytest.mark.parametrize("restart", [False, True])
async def test_an_old_alerts_button_says_so_and_offers_fresh_ones(
    room: Room, restart: bool, label: str
) -> None:
    outgoing = pushed(room, difference())
    if restart:
        room.__post_init__()  # a new process knows no nonce
        room.count = 100
    room.seconds += 0 if restart else 121
    again = await room.press(outgoing, label)
    shown = seen(again) or ""
    assert shown.startswith(f"{OLD}\nLIVE · ARMED · RELIANCE is locked")
    assert judged(room) == []
    assert room.desk.audits[-1].text == "pressed: /locks NSE:RELIANCE"
    await room.pressed(again, "Adopt")
    assert judged(room) == [("NSE:RELIANCE", Verdict.ADOPT)]


async def test_of_two_owners_the_second_hears_that_it_is_decided(room: Room) -> None:
    room.policy = replace(room.policy, owner_ids=frozenset({OWNER, 4712}))
    room.__post_init__()
    mine, theirs = pushed(room, difference()), pushed(room, difference(), 4712)
    assert await room.pressed(mine, "Adopt", 4712) != await room.pressed(theirs, "Ignore", 4712)
    assert judged(room) == [("NSE:RELIANCE", Verdict.IGNORE)]  # another person's button is only a look


async def test_a_viewer_gets_the_alert_without_its_buttons(room: Room) -> None:
    assert pushed(room, difference(), VIEWER).nonces == ()


def test_only_the_verdicts_an_alert_speaks_of_are_offered() -> None:
    only = render_alert(difference(body="No entries until your verdict: /ignore RELIANCE unlocks it."))
    assert [b.command for b in only.buttons[0]] == ["/ignore NSE:RELIANCE"]
    silent = render_alert(difference(body="Something is there."))
    assert len(silent.buttons[0]) == 3


@pytest.mark.parametrize(
    ("alert_id", "key"),
    [
        ("difference:NSE:RELIANCE:MIS:20261123101458", "NSE:RELIANCE"),
        ("difference:NSE:M&M:CNC:2026-11-23T10:14:58+05:30", "NSE:M&M"),
        ("difference:NSE:BAJAJ-AUTO:MTF:20261123101458:M-TAG:1", "NSE:BAJAJ-AUTO"),
        ("difference:NFO:NIFTY26NOVEMBER24500CE:NRML:20261123101458", "NFO:NIFTY26NOVEMBER24500CE"),
        ("seen:NSE:RELIANCE:MIS:20261123101458", None),
        ("difference:RELIANCE:MIS:20261123101458", None),
        ("difference:NSE::MIS:1", None),
        ("difference:NSE:RELIANCE", None),
        ("difference", None),
        ("", None),
        ("difference:NSE:A B:MIS:1", None),
        ("difference:NSE:A\n/kill:MIS:1", None),
    ],
)
def test_the_instrument_is_read_from_the_alerts_id(alert_id: str, key: str | None) -> None:
    buttons = render_alert(difference(alert_id)).buttons
    assert ({b.command.partition(" ")[2] for row in buttons for b in row} == {key}) is (key is not None)
    assert bool(buttons) is (key is not None)


def test_other_topics_have_no_buttons_whatever_their_id() -> None:
    assert render_alert(difference(topic="fill")).buttons == ()


@given(st.text(), st.text(), st.sampled_from(["difference", "fill", ""]))
def test_any_alert_can_be_shown(alert_id: str, body: str, topic: str) -> None:
    reply = render_alert(difference(f"difference:{alert_id}", body=body, topic=topic))
    for row in reply.buttons:
        for button in row:
            assert button.command.split()[1:] == [button.later.split()[1]]


def test_an_alert_that_asks_is_never_buried_in_a_digest() -> None:
    asks = [difference(f"difference:NSE:{name}:MIS:1", priority=Priority.INFO) for name in ("TCS", "INFY")]
    told = [difference(f"seen:NSE:{n}:MIS:1", priority=Priority.INFO, at=NOW + timedelta(n)) for n in (1, 2)]
    waiting = [*asks, *told]
    assert len(choose(waiting)) == 1
    assert choose(told) == tuple(told)
    assert choose([*told, *asks], alone=()) in [(a,) for a in asks]
    early = [replace(a, at=NOW - timedelta(n)) for n, a in enumerate(told, 1)]
    assert set(choose([*early, *asks])) == set(early)


def test_at_the_terminal_the_verdicts_are_typed() -> None:
    shown = plain_alert(render_alert(difference()))
    assert shown.count("/adopt") == 1
    bare = plain_alert(render_alert(difference(body="Something is there.")))
    assert bare.endswith("Type /adopt NSE:RELIANCE or /ignore NSE:RELIANCE or /flatten NSE:RELIANCE")


# -- what a button carries ------------------------------------------------------------------------------


def test_what_a_phone_gets_fits_telegrams_64_bytes(room: Room) -> None:
    long = InstrumentKey("NFO:" + "VERYLONG" * 6 + "26DEC24500CE")
    outgoing = room.dispatcher.offer(OWNER, render_alert(difference(f"difference:{long}:NRML:1")))
    assert all(len(n) == NONCE for row in outgoing.nonces for n in row)  # no room for what an old one shows
    usual = pushed(room, difference())
    assert all(NONCE < len(n.encode()) <= LONGEST for row in usual.nonces for n in row)


@pytest.mark.parametrize(
    "carried",
    ["AAAAAAAA/kill", "AAAAAAAA/adopt NSE:RELIANCE", "AAAAAAAA/flatten NSE:RELIANCE", "AAAAAAAA/paper",
     "AAAAAAAA/live 492039", "AAAAAAAA/reconcile", "AAAAAAAA/mute 1h", "AAAAAAAA/wait close",
     "AAAAAAAA/login", "AAAAAAAA/nonsense", "AAAAAAAA", "AAAAAAAA/", "/locks", "AAAAAAAA /status",
     "AAAAAAAA/status" + " " * 90],
)  # fmt: skip
async def test_a_made_up_button_acts_on_nothing(room: Room, carried: str) -> None:
    for user in (OWNER, VIEWER):
        press = room.message(carried, user, kind=Kind.PRESS)
        assert seen(await room.dispatcher(press)) == EXPIRED
    assert room.desk.asked == []
    assert room.desk.waits == []


async def test_a_made_up_button_that_only_looks_is_only_a_look(room: Room) -> None:
    press = room.message("AAAAAAAA/status", VIEWER, kind=Kind.PRESS)
    assert (seen(await room.dispatcher(press)) or "").startswith(OLD)


@given(st.text())
def test_whatever_a_button_carries_is_borne(carried: str) -> None:
    assert later_of(carried) in carried
    room = locked(Room(), a_lock())
    assert asyncio.run(room.dispatcher(room.message(f"AAAAAAAA/{carried}", kind=Kind.PRESS)))
    assert room.desk.asked == []


async def test_buttons_without_a_fallback_expire_as_ever(room: Room) -> None:
    menu = await room.offered("/flatten RELIANCE")
    assert len(nonce(menu, "Flatten RELIANCE")) == NONCE
    room.seconds += 31
    assert await room.pressed(menu, "Flatten RELIANCE") == EXPIRED


# -- holdings -----------------------------------------------------------------------------------------


async def test_holdings_show_what_is_held_what_is_coming_and_what_it_is_worth() -> None:
    shown = await Room().typed("/holdings")
    assert shown == (
        "PAPER · holdings at 10:15:02\n"
        "Symbol  Qty    Avg ₹   Last ₹\n"
        "IDEA   1000     8.15        –\n"
        "INFY   12+5 1,502.40 1,490.00\n"
        "ZENTEC   40 1,580.55 1,620.00\n"
        "Paid                    ₹88,762.80\n"
        "Worth                   ₹90,130.00\n"
        "Gain                    +₹1,367.20\n"
        "without 1 that has no price\n"
        "1) Refresh"
    )


async def test_one_share_held_in_two_ways_is_told_apart() -> None:
    room = Room()
    infy, bse = instrument_key("INFY"), instrument_key("INFY", "BSE")
    room.desk.the_holdings = [
        Holding(infy, 5, 0, D("1500"), product=Product.MTF),
        Holding(infy, 12, 0, D("1400")),
        Holding(bse, 3, 0, D("1450")),
        Holding(instrument_key("SBIN"), 0, 0, D("811"), sold_today=7),
    ]
    shown = await room.typed("/holdings") or ""
    assert shown.startswith(
        "PAPER · holdings at 10:15:02\n"
        "Symbol   Qty    Avg ₹   Last ₹\n"
        "BSE:INFY   3 1,450.00        –\n"
        "INFY      12 1,400.00 1,490.00\n"
        "INFY       5 1,500.00 1,490.00\n"
        " MTF, partly the broker's money\n"
        "SBIN       0   811.00        –\n"
        " 7 sold today\n"
    )


async def test_empty_and_priceless_holdings_have_sentences() -> None:
    room = Room()
    room.desk.the_holdings = []
    assert "Nothing is held for delivery." in (await room.typed("/holdings") or "")
    room.desk.the_holdings = [Holding(instrument_key("SBIN"), 3, 0, D("811"))]
    shown = await room.typed("/holdings") or ""
    assert "SBIN" in shown
    assert "Worth" not in shown
    assert "without 1 that has no price" in shown


@given(
    st.lists(
        st.builds(
            Holding,
            st.sampled_from([instrument_key(s) for s in ("INFY", "TCS", "UNHEARDOF", "BSE:RELIANCE")]),
            st.integers(0, 10**9),
            st.integers(0, 10**9),
            st.decimals(Decimal(0), Decimal("9999999"), places=4),
        ),
        max_size=8,
    )
)
def test_holdings_fit_a_phone_whole(held: list[Holding]) -> None:
    room = Room()
    room.desk.the_holdings = held
    outgoing = asyncio.run(room.offered("/holdings"))
    tables = [b.text for b in outgoing.reply.blocks if isinstance(b, Pre)]
    assert all(columns(line) <= WIDTH for table in tables for line in table.splitlines())
    digits = "".join("".join(tables).split())
    assert all(str(h.quantity) in digits for h in held)


async def test_a_broker_without_sense_for_symbols_still_shows_its_holdings() -> None:
    room = Room()
    room.desk.the_holdings = [Holding(InstrumentKey("NSE:N/A & CO"), 1, 0, D(1))]

    def unclear(symbol: str) -> None:
        raise InvalidInput("two could be meant")

    room.desk.quote = unclear  # type: ignore[method-assign, assignment]  # what the desk may raise
    assert "N/A & CO" in (await room.typed("/holdings") or "")
