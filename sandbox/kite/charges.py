"""What an order would cost, at the rates in force on 21 November 2026 (india.md 3.1)."""

from __future__ import annotations

from typing import Any

from sandbox.kite.listings import Listing

GST = 0.18
SEBI = 0.000001  # Rs 10 per crore
# kind: (brokerage share or None for a flat fee, STT on buys, STT on sells, NSE, BSE, stamp on buys)
RATES = {
    "delivery": (0.0, 0.001, 0.001, 0.0000307, 0.0000375, 0.00015),
    "intraday": (0.0003, 0.0, 0.00025, 0.0000307, 0.0000375, 0.00003),
    "futures": (0.0003, 0.0, 0.0005, 0.0000183, 0.0, 0.00002),
    "options": (None, 0.0, 0.0015, 0.0003553, 0.000325, 0.00003),
}
FLAT = 20.0


def charges(listing: Listing, side: str, product: str, quantity: int, price: float) -> dict[str, Any]:
    kind = "intraday" if product == "MIS" else "delivery"
    if listing.is_derivative:
        kind = "options" if listing.is_option else "futures"
    share, tax_on_buys, tax_on_sells, nse, bse, stamp = RATES[kind]
    value = quantity * price
    brokerage = FLAT if share is None else min(FLAT, share * value)
    tax = value * (tax_on_buys if side == "BUY" else tax_on_sells)
    turnover = value * (bse if listing.exchange in {"BSE", "BFO"} else nse)
    sebi = value * SEBI
    gst = GST * (brokerage + turnover + sebi)
    duty = value * stamp if side == "BUY" else 0.0
    return {
        "transaction_tax": tax,
        "transaction_tax_type": "stt",
        "exchange_turnover_charge": turnover,
        "sebi_turnover_charge": sebi,
        "brokerage": brokerage,
        "stamp_duty": duty,
        "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst},
        "total": tax + turnover + sebi + brokerage + gst + duty,
    }
