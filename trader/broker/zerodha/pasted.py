"""What an owner pastes after logging in: an address, or only the token in it."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from trader.broker.zerodha.credentials import APP_MARK, KiteCredentials
from trader.domain.errors import InvalidInput

TOKEN_IN_ADDRESS = re.compile(r"request_token=([A-Za-z0-9]+)")
BARE_TOKEN = re.compile(r"[A-Za-z0-9]{20,64}")  # 32 so far; no word of a sentence is that long
HOW = (
    "After the login the browser ends at an address with request_token=… in it, often on an empty page or an "
    "error; send that whole address here."
)


def request_token_in(pasted: str, credentials: KiteCredentials) -> str:
    """Raises InvalidInput with what to send instead, never with what was sent: it may be a secret."""
    text = pasted.strip().strip("<>\"'`")
    query = _query(text)
    if (own := query.get("api_key")) and own != credentials.api_key:
        raise InvalidInput("That link belongs to another app than KITE_API_KEY. Use the link of /login.")
    if (mark := query.get(APP_MARK)) and mark != credentials.app_mark:
        raise InvalidInput("That login was for another app than KITE_API_KEY. Use the link of /login.")
    if (status := query.get("status")) and status != "success":
        raise InvalidInput(
            "That login was not completed. Open the link of /login again and log in to the end."
        )
    if found := TOKEN_IN_ADDRESS.search(text):
        return found[1]
    if BARE_TOKEN.fullmatch(text):
        return text
    if "/connect/login" in text:
        raise InvalidInput(f"That is the link to open, not where it leads. {HOW}")
    raise InvalidInput(f"There is no request token in that. {HOW}")


def _query(text: str) -> dict[str, str]:
    address = next((word for word in text.split() if "?" in word), "")
    try:
        return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    except ValueError:  # brackets in the wrong place
        return {}
