"""Where each number stands in the tables that the compiled loop works on.

Money and prices are whole ten-thousandths of a rupee, times are microseconds since 1970 UTC, quantities are
units, positive for long. A slot is one (leg, symbol); a line is one (symbol, product), as the broker nets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

RUPEE = 10_000
PAISA = 100
SECOND = 1_000_000
MINUTE = 60 * SECOND
PATIENCE = 10 * SECOND  # trader.desk.leaving
LAGS_WATCHED = 5 * SECOND  # trader.desk.lookout
DEFERRED_FOR = 10 * SECOND  # trader.desk.entering

# The times of a row: where its candles begin, where they end, and when what passes inside them is shown: at
# their end, or at the desk's own square-off where they are the day's last chance for it.
BEGINS, ENDS, WITHIN, MOMENTS = range(4)

# What a row of the market allows at each of these times, by venue.
OPEN, ENTRIES, STOPS, SQUARE, BROKER, STOPS_END = 1, 2, 4, 8, 16, 32

# Purposes of orders, in the order of ``Purpose``; EXTERNAL is the broker's own square-off.
P_NONE, P_STOP, P_TARGET, P_EXIT, P_SQUARE, P_KILL, P_EXTERNAL = range(7)
SLM, MARKET, LIMIT = 1, 2, 3
# An order: none, decided, at the exchange, traded there, the broker's own, refused or cancelled there. The
# desk knows of the last four when it has heard: until then an order has no name to ask for changes by.
X_NONE, X_SENT, X_RESTS, X_TRADED, X_RMS, X_GONE = range(6)
MIS, CNC, MTF, NRML = range(4)
ENTER_LONG, EXIT_LONG, ENTER_SHORT, EXIT_SHORT = 1, 2, 4, 8

# -- rows of ``slots``: fixed terms of a slot. S_TOGETHER: how many slots its strategy decides on at once, 0
# for each by itself; S_FIRST the first of them, they stand side by side.
(S_LEG, S_SYM, S_LINE, S_PRODUCT, S_QUANTITY, S_MAX, S_LONGS, S_SHORTS, S_TAKEN_LONG, S_TAKEN_SHORT,
 S_LENGTH, S_TOGETHER, S_FIRST, S_WIDTH) = range(14)  # fmt: skip
SF_STOP, SF_TARGET, SF_TRAIL, SF_RISK, SF_WIDTH = range(5)

# -- rows of ``symbols``: Y_LAST_DAY a contract's last day, Y_EXPIRED the first one after it; Y_CHUNK the most
# units of an order with which the broker itself closes
(Y_VENUE, Y_TICK, Y_LOT, Y_FREEZE, Y_BANDED, Y_TRADED, Y_LAST_DAY, Y_EXPIRED, Y_CHUNK,
 Y_WIDTH) = range(10)  # fmt: skip

# -- rows of ``lines`` by line and day: margin in millionths for long and short, which rates, chapter
# and, for delivery, the rates of what is bought and sold within a day; the line of the same share's other
# kind of delivery, its own where there is none
L_LONG, L_SHORT, L_RATES, L_CHAPTER, L_INTRADAY, L_OTHER, L_WIDTH = range(7)

# -- rows of ``rates``: thousand-millionths of turnover; caps in 1e-13 rupees
(R_FLAT, R_BROKERAGE, R_CAP, R_STT_BUY, R_STT_SELL, R_TRANSACTION, R_IPFT, R_SEBI, R_STAMP_BUY, R_STAMP_SELL,
 R_GST, R_GST_OF, R_GST_ON_SEBI, R_RMS, R_DP, R_WIDTH) = range(16)  # fmt: skip

# -- ``limits``
(M_CAPITAL, M_ORDER, M_POSITION, M_EXPOSURE, M_DAILY_LOSS, M_POSITIONS, M_TRADES,
 M_SECOND, M_MINUTE, M_DAY, M_STREAK, M_COOLDOWN, M_STALE, M_DUPLICATE, M_SLIPPAGE, M_MULTIPLE, M_LENGTH,
 M_ACCOUNT, M_SYMBOLS, M_VENUES, M_DAYS, M_LINES, M_CHAPTERS, M_SINGLE, M_LEGS, M_SCRIP,
 M_ROOM, M_WIDTH) = range(28)  # fmt: skip
MF_CAPITAL, MF_DRAWDOWN, MF_WIDTH = range(3)

# -- rows of ``note``: seven lines of charges, each in whole paise and, what is not carried to them yet, in
# 1e-13 rupees, for a day of large orders has more of these than 64 bits hold; then the fees of the orders
# that the broker made itself.
NOTE_LINES, NOTE_RMS, NOTE_WIDTH = 7, 14, 15

# -- rows of ``days``
# D_LATE: the first row in which an hour of the day asks for something: square-off, the end of stops
D_FIRST, D_END, D_SETTLES, D_CLOSES, D_LATE, D_WIDTH = range(6)

# -- rows of ``state``: a slot as it now is. AWAKE: the last row in which something happened to it. ENTRY_ROW:
# that of its entry, ENTRY_SHOWN what was SHOWN of it then; BEST and WORST are looked up from there on when it
# is left. X_COST: what an exit cost that the broker itself made. X_LAGS: since when the stop has not rested
# where it belongs, 0 while it does. X_REFUSED: the trigger to which it was not moved, X_REFUSALS how often
# before that one, X_AGAIN when it is asked for again. JOIN: the side to be entered with the others of one
# decision.
(Q, AVG, MARK, MARK_AT, WAKE_LOW, WAKE_HIGH, AWAKE, SYM,
 ENTRY_ROW, ENTRY_SHOWN, BEST, WORST, XS, X_TYPE, X_STOP, X_TRIGGER, X_KNOWN, X_PENDING,
 X_PURPOSE, X_LIMIT, X_ACTIVE, X_MET, X_MODS, X_SERIAL, X_UPDATED, X_LAGS, FILL,
 X_REFUSED, X_REFUSALS, X_AGAIN,
 STOP, TARGET, TRAIL, TRAIL_BEST, FAILS, LEAVING, REVERSAL, REVERSAL_UNTIL,
 ENTRY_AT, ENTRY_CHARGES, X_COST, TIED, OPENING,
 X_OLD_TYPE, X_OLD_TRIGGER, X_OLD_LIMIT, X_OLD_PURPOSE,
 L_SINCE, L_LIMIT, L_ATTEMPTS, L_AGAIN,
 E, E_Q, E_PRICE, E_SERIAL, E_TIED, E_WITHDRAWN, E_FATE, E_CANCEL, E_KNOWN,
 DEFERRED, DEFERRED_UNTIL, LAST_AT, LAST_Q, JOIN,
 WIDTH) = range(66)  # fmt: skip
NO_CALL = 1 << 60
NEVER_STILL = 1 << 60  # as WAKE_LOW: whatever the price, the slot wakes

# -- ``desk``: what all slots share. Sums are kept, not summed up: UNREALISED and GROSS of open positions,
# CARRIED of what those carried over night had at the day's start, COMING of the values of entries under way.
# SHOWN: which price of the row's candles is known, none yet, the opens or the closes. AT_OPEN, AT_CLOSE and
# GROSS_OPEN, GROSS_CLOSE: UNREALISED and GROSS as they will be when those are shown.
(BOOKED, BOOKED_TODAY, PEAK, ENTRIES_TODAY, STREAK, COOLDOWN, LATCH, TOLD, IN_SECOND_OF, IN_SECOND,
 IN_MINUTE_OF, IN_MINUTE, IN_DAY, SERIAL, N_OPEN, N_LEAVING, N_ENTERING, N_DEFERRED, N_ASKED, N_HEARD,
 N_AWAKE, DAY, ROW,
 N_TRADES, CASH, GAIN, VARIANT, HALTED_DAY, RANGE_OF, TIED_ALL, UNREALISED, GROSS, CARRIED, COMING, NOW,
 STAGE, MOMENT, N_CALL, SHOWN, AT_OPEN, AT_CLOSE, GROSS_OPEN, GROSS_CLOSE,
 DESK_WIDTH) = range(44)  # fmt: skip
LATCH_NONE, LATCH_DAILY, LATCH_DRAWDOWN = 0, 1, 2
# Stages of a moment: before the first quote of a day, opens shown, inside the candles, closes shown on which
# orders trade (the last chance to leave), closes shown.
MORNING, OPENING_TICKS, INSIDE, LAST_CHANCE, CLOSING_TICKS, EVENING = range(6)

NOTHING, OPENS, CLOSES = range(3)

# What is asked of the broker, and what is heard from it.
ASK_ENTRY, ASK_EXIT, ASK_CHANGE, ASK_CANCEL_ENTRY, ASK_CANCEL_EXIT = range(5)
(ENTRY_FILLED, EXIT_FILLED, ENTRY_PLACED, EXIT_PLACED, ENTRY_REJECTED, ENTRY_CANCELLED, EXIT_REFUSED,
 EXIT_CANCELLED, EXIT_CHANGED) = range(9)  # fmt: skip
# A change of an exit: none, asked for, taken, refused; the last two until that is heard.
C_NONE, C_ASKED, C_TAKEN, C_REFUSED = range(4)

# -- rows of ``trades``
(T_SLOT, T_PURPOSE, T_QUANTITY, T_ENTRY_AT, T_EXIT_AT, T_ENTRY, T_EXIT, T_CHARGES, T_BEST, T_WORST,
 T_WIDTH) = range(11)  # fmt: skip

# Variants of the loop; the wrong ones are for tests of the parity check, which must find each of them.
RIGHT, FILL_AT_CLOSE, TARGET_FIRST, NO_CHARGES = range(4)

DENIALS = (
    "mode", "session_closed", "lot_multiple", "not_tradable", "product", "freeze_quantity", "entries_over",
    "no_quote", "stale_quote", "price_band", "expired", "expires_today", "order_value", "position_size",
    "risk_per_trade", "open_positions", "strategy_positions", "exposure", "capital", "daily_loss", "drawdown",
    "trades_per_day", "cooldown", "rate_second", "rate_minute", "rate_day", "duplicate_signal",
    "broker_funds",
)  # fmt: skip
(N_MODE, N_SESSION, N_LOT, N_TRADABLE, N_PRODUCT, N_FREEZE, N_OVER, N_QUOTE, N_STALE, N_BAND, N_EXPIRED,
 N_EXPIRES, N_ORDER, N_POSITION, N_RISK, N_POSITIONS, N_STRATEGY, N_EXPOSURE, N_CAPITAL, N_LOSS, N_DRAWDOWN,
 N_DAY_TRADES, N_COOLDOWN, N_RATE_SECOND, N_RATE_MINUTE, N_RATE_DAY, N_DUPLICATE,
 N_FUNDS) = range(28)  # fmt: skip

BROKER_SECOND, BROKER_MINUTE, BROKER_DAY, MODIFICATIONS, RESERVED = 10, 400, 5000, 25, 5  # trader.desk.limits

# A table of whole numbers: in Python its array's address, compiled a pointer to it (``memory``).
Ints = Any


class Market(NamedTuple):
    """Nothing in it changes during a run. Rows are laid one after the other: ``cells`` (rows, symbols, 4)
    prices in units of limits[M_MULTIPLE], 0 where there is no candle; ``rows`` (rows, MOMENTS); ``flags``
    (rows, venues, MOMENTS); ``previous`` (days, symbols) the row of the last candle before the day or -1;
    ``lines`` (lines, days, L_WIDTH); the others by their widths."""

    cells: Ints  # int32
    last: Ints  # int32: (rows, symbols) as cells, the last close of each
    rows: Ints
    flags: Ints  # uint8
    days: Ints
    previous: Ints  # int32
    slots: Ints
    terms: Ints  # float64
    symbols: Ints
    lines: Ints
    rates: Ints
    limits: Ints
    fractions: Ints  # float64
    calls: Ints  # int32: the rows of signals, ascending, then one that never comes; whose and which: below
    call_slots: Ints
    call_bits: Ints  # uint8


class State(NamedTuple):
    slot: Ints
    desk: Ints
    open: Ints  # slots in the order in which their positions were opened
    leaving: Ints
    entering: Ints
    deferred: Ints
    awake: Ints  # slots to which something happens in this row
    asked: Ints  # (…, 2)
    heard: Ints  # (…, 2)
    denied: Ints
    note: Ints  # (chapters, NOTE_WIDTH): the day's exact charges
    credits: Ints  # by day
    net: Ints  # (lines, 2): the broker's units and cost
    seen: Ints  # by line
    dealt: Ints  # (symbols, 2): the last quotes (``quotes_of``) on which it traded here, and at what price
    scrips: Ints  # (lines, 3): the day's delivery orders, their own charges so far, whether shares left
    scrip_orders: Ints  # (lines, limits[M_SCRIP], 4): side, units, price, place
    legs: Ints  # by leg: positions, and entries under way
    sorted: Ints  # (slots * 2, 3): scratch
    ranged: Ints  # (slots): scratch
    trades: Ints  # (T_WIDTH, …): a column of each
    worth: Ints  # float64 rupees: equity after each row
    held: Ints  # float64 rupees: exposure after each row
