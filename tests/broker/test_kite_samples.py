"""Every official sample of Kite goes through a decoder of ours and says afterwards what it said before."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.broker.kite_stream_frames import frame, ltp
from trader.broker.zerodha.answers.alerts import Alert, Fired
from trader.broker.zerodha.answers.gtts import Trigger, TriggerId
from trader.broker.zerodha.answers.margins import (
    AccountMargins,
    BasketMargin,
    ContractNoteRow,
    OrderMargin,
    SegmentMargins,
)
from trader.broker.zerodha.answers.mutual_funds import (
    FundHolding,
    FundOrder,
    FundOrderId,
    Sip,
    SipId,
    schemes,
)
from trader.broker.zerodha.answers.orders import Accepted, OrderRow, Postback, Sliced, TradeRow
from trader.broker.zerodha.answers.portfolio import (
    Auction,
    Authorisation,
    CompactHolding,
    HoldingRow,
    Positions,
    Summary,
)
from trader.broker.zerodha.answers.quotes import LastPrice, Ohlc, Quote, TriggerRange
from trader.broker.zerodha.answers.reading import read, read_all, read_by_key
from trader.broker.zerodha.answers.users import FullProfile, LoggedIn, Profile
from trader.broker.zerodha.line import candles
from trader.broker.zerodha.stream.frames import read_frame
from trader.broker.zerodha.stream.packets import Packet, packets_of
from trader.market.dump import DumpTable

MOCKS = Path(__file__).resolve().parents[2].parent / "shared" / "kite-mocks"
HERE = pytest.mark.skipif(not MOCKS.is_dir(), reason=f"the official samples are not at {MOCKS}")
ON = date(2026, 11, 23)
INDIA = timedelta(hours=5, minutes=30)
NO_DATA = {"README.md"}


def sample(name: str) -> Any:
    """What its envelope holds."""
    body = json.loads((MOCKS / name).read_text())
    return body.get("data", body)


# -- what must be the same -------------------------------------------------------------------------------


def same(decoded: object, raw: object, where: str) -> None:
    """Every value of the sample is in ``decoded``, exactly, and nothing else is."""
    if is_dataclass(decoded):
        assert isinstance(raw, dict), where
        names = {f.name for f in fields(decoded)}
        assert set(raw) - names == LEFT_OUT.get(type(decoded).__name__, set()) & set(raw), where
        for name in names & set(raw):
            same(getattr(decoded, name), raw[name], f"{where}.{name}")
    elif isinstance(decoded, list | tuple):
        assert isinstance(raw, list), where
        assert len(decoded) == len(raw), where
        for number, (one, other) in enumerate(zip(decoded, raw, strict=True)):
            same(one, other, f"{where}[{number}]")
    elif isinstance(decoded, dict):
        assert isinstance(raw, dict), where
        assert list(decoded) == list(raw), where
        for key, one in decoded.items():
            same(one, raw[key], f"{where}[{key}]")
    else:
        same_value(decoded, raw, where)


def same_value(decoded: object, raw: object, where: str) -> None:
    if isinstance(decoded, Decimal):
        assert not isinstance(raw, bool), where
        assert decoded == Decimal(str(raw)), where
    elif isinstance(decoded, datetime):
        assert decoded.utcoffset() == INDIA, where
        assert f"{decoded:%Y-%m-%d %H:%M:%S}" == raw, where
    elif isinstance(decoded, time):
        assert (decoded.utcoffset(), f"{decoded:%H:%M:%S}") == (INDIA, raw), where
    elif isinstance(decoded, date):
        assert decoded.isoformat() == raw, where
    elif decoded is None:
        assert raw in (None, "", "0001-01-01 00:00:00"), where
    elif isinstance(decoded, bool):
        assert decoded is (raw if isinstance(raw, bool) else raw == "1"), where
    elif isinstance(decoded, int):
        assert decoded == int(str(raw)), where
    else:
        assert decoded == raw, where


LEFT_OUT: dict[str, set[str]] = {"SliceError": {"data"}}  # always null


# -- the decoders ----------------------------------------------------------------------------------------

Check = Callable[[str], None]


def one(kind: type[Any]) -> Check:
    return lambda name: same(read(kind, sample(name)), sample(name), name)


def many(kind: type[Any]) -> Check:
    def check(name: str) -> None:
        rows = read_all(kind, sample(name))
        assert rows, name
        same(rows, sample(name), name)

    return check


def by_key(kind: type[Any]) -> Check:
    return lambda name: same(read_by_key(kind, sample(name)), sample(name), name)


def exactly(value: object) -> Check:
    """An answer that says nothing but that it was done."""

    def check(name: str) -> None:
        assert sample(name) is value, name

    return check


def instruments(name: str) -> None:
    path = MOCKS / name
    rows = list(DumpTable.read(path, ON, fewest=1).rows())
    expected = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == len(expected) > 50
    for row, raw in zip(rows, expected, strict=True):
        assert list(row) == list(raw)
        for column, value in row.items():
            assert str(value) == raw[column] or Decimal(str(value)) == Decimal(raw[column]), (name, column)


def fund_list(name: str) -> None:
    content = (MOCKS / name).read_bytes()
    rows = list(schemes(content))
    same(rows, list(csv.DictReader(content.decode().splitlines())), name)
    assert rows[0].tradingsymbol == "INF209K01157"
    assert rows[0].last_price == Decimal("106.8")
    assert rows[0].purchase_allowed is True


def history(name: str) -> None:
    data = sample(name)
    rows = candles(data)
    assert len(rows) == len(data["candles"]) > 1
    for row, raw in zip(rows, data["candles"], strict=True):
        assert list(row.values())[1:] == raw[1:]
        assert row["date"].utcoffset() == INDIA
        assert f"{row['date']:%Y-%m-%dT%H:%M:%S%z}" == raw[0]


def packet_of(name: str) -> Packet:
    (packet,) = packets_of(read_frame(frame(base64.b64decode((MOCKS / name).read_text()))))
    return packet


def tick(name: str) -> None:
    """A packet beside what it says, or, of the smallest kind, what it says alone."""
    stem, says = name.partition(".")[0], sample(f"{name.partition('.')[0]}.json")
    if stem == "ticker_ltp":
        raw = ltp(says["instrument_token"], round(says["last_price"] * 100))
        (packet,) = packets_of(read_frame(frame(raw)))
    else:
        packet = packet_of(f"{stem}.packet")
    assert (packet.token, packet.mode, packet.tradable, packet.last_price) == (
        says["instrument_token"], says["mode"], says["tradable"], says["last_price"],
    )  # fmt: skip
    assert (packet.traded is None) is ("volume" not in says)
    if packet.traded is not None:
        assert packet.traded.volume == says["volume"]
        assert packet.traded.average_price == says["average_price"]
    if "timestamp" in says:
        assert packet.exchange_time == datetime.fromisoformat(says["timestamp"])


DECODERS: dict[str, Check] = {
    "generate_session.json": one(LoggedIn),
    "session_logout.json": exactly(True),
    "profile.json": one(Profile),
    "full_profile.json": one(FullProfile),
    "margins.json": one(AccountMargins),
    "margins_equity.json": one(SegmentMargins),
    "margin_commodity.json": one(SegmentMargins),
    "order_response.json": one(Accepted),
    "order_modify.json": one(Accepted),
    "order_cancel.json": one(Accepted),
    "autoslice_response.json": one(Sliced),
    "orders.json": many(OrderRow),
    "order_info.json": many(OrderRow),
    "order_trades.json": many(TradeRow),
    "trades.json": many(TradeRow),
    "postback.json": one(Postback),
    "trigger_range.json": by_key(TriggerRange),
    "order_margins.json": many(OrderMargin),
    "basket_margins.json": one(BasketMargin),
    "virtual_contract_note.json": many(ContractNoteRow),
    "holdings.json": many(HoldingRow),
    "holdings_auth.json": one(Authorisation),
    "holdings_compact.json": many(CompactHolding),
    "holdings_summary.json": one(Summary),
    "auctions_list.json": many(Auction),
    "positions.json": one(Positions),
    "convert_position.json": exactly(True),
    "quote.json": by_key(Quote),
    "ohlc.json": by_key(Ohlc),
    "ltp.json": by_key(LastPrice),
    "historical_minute.json": history,
    "historical_oi.json": history,
    "instruments_all.csv": instruments,
    "instruments_nse.csv": instruments,
    "ticker_ltp.json": tick,
    "ticker_quote.json": tick,
    "ticker_quote.packet": tick,
    "ticker_full.json": tick,
    "ticker_full.packet": tick,
    "gtt_place_order.json": one(TriggerId),
    "gtt_modify_order.json": one(TriggerId),
    "gtt_delete_order.json": one(TriggerId),
    "gtt_get_orders.json": many(Trigger),
    "gtt_get_order.json": one(Trigger),
    "alerts_create.json": one(Alert),
    "alerts_create_ato.json": one(Alert),
    "alerts_get.json": many(Alert),
    "alerts_get_one.json": one(Alert),
    "alerts_modify.json": one(Alert),
    "alerts_delete.json": exactly(None),
    "alerts_history.json": many(Fired),
    "mf_orders.json": many(FundOrder),
    "mf_orders_info.json": one(FundOrder),
    "mf_order_response.json": one(FundOrderId),
    "mf_order_cancel.json": one(FundOrderId),
    "mf_sips.json": many(Sip),
    "mf_sip_info.json": one(Sip),
    "mf_sip_place.json": one(SipId),
    "mf_sip_modify.json": one(SipId),
    "mf_sip_cancel.json": one(SipId),
    "mf_holdings.json": many(FundHolding),
    "mf_instruments.csv": fund_list,
}


def names(found: Iterable[Path]) -> set[str]:
    return {path.relative_to(MOCKS).as_posix() for path in found if path.is_file()} - NO_DATA


@HERE
def test_no_sample_is_without_a_decoder_and_no_decoder_without_its_sample() -> None:
    assert names(MOCKS.rglob("*")) == set(DECODERS)


@HERE
@pytest.mark.parametrize("name", DECODERS)
def test_the_sample_says_the_same_once_decoded(name: str) -> None:
    DECODERS[name](name)
