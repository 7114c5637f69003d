"""Refusals in Kite's words (kite.md 2). Texts marked "ours" are not documented anywhere."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class KiteError(Exception):
    """``status`` is the HTTP status, ``error_type`` the class name the SDK looks for."""

    def __init__(self, status: int, error_type: str, message: str, data: object = None) -> None:
        super().__init__(message)
        self.status, self.error_type, self.message, self.data = status, error_type, message, data

    def payload(self) -> Json:
        return {
            "status": "error",
            "message": self.message,
            "data": self.data,
            "error_type": self.error_type,
        }


TIMED_OUT = "Order request timed out. Please check the order book and confirm before placing again."
NO_PROTECTION = (
    "Market orders without market protection are not allowed via API. "
    "Please set market protection or use a Limit order."
)
HOLIDAY = (
    "MIS (intraday) are blocked as the markets are not open for trading today. Try placing an AMO order."
)
CLOSED = "Markets are closed right now. Try placing an AMO order."  # ours
NO_PERMISSION = "Insufficient permission for that call."
WRONG_ADDRESS = (
    "IP ({ip}) is not allowed to place orders for this app. Update allowed IPs on the Kite developer console."
)


def bad_input(message: str) -> KiteError:
    return KiteError(400, "InputException", message)


def missing(name: str) -> KiteError:
    return bad_input(f"Missing required parameter `{name}`.")  # ours


def bad_token() -> KiteError:
    return KiteError(403, "TokenException", "Incorrect `api_key` or `access_token`.")


def no_permission() -> KiteError:
    return KiteError(403, "PermissionException", NO_PERMISSION)


def wrong_address(ip: str) -> KiteError:
    return KiteError(403, "PermissionException", WRONG_ADDRESS.format(ip=ip))


def too_many_requests() -> KiteError:
    return KiteError(429, "NetworkException", "Too many requests")


def too_many_orders() -> KiteError:
    return KiteError(429, "NetworkException", "Maximum allowed order requests exceeded")


def too_many_modifications() -> KiteError:
    return KiteError(429, "NetworkException", "Maximum allowed order modifications exceeded.")


def oms_down(status: int = 503) -> KiteError:
    return KiteError(status, "NetworkException", "Request failed (kitetrade-oms)")


def timed_out() -> KiteError:
    """The one 400 that leaves open whether the order exists (kite.md 12)."""
    return KiteError(400, "OrderException", TIMED_OUT)


def unknown_order() -> KiteError:
    return KiteError(400, "GeneralException", "Couldn't find that `order_id`.")


def being_processed(what: str) -> KiteError:
    """``what``: "cancelled" or "modified"."""
    return bad_input(f"Order cannot be {what} as it is being processed. Try later.")


def short_of_funds(required: float, available: float) -> str:
    return f"Insufficient funds. Required margin is {required:.2f} but available margin is {available:.2f}."
