"""The key and token every connection opens with, and whether Kite still takes them."""

from __future__ import annotations

import asyncio
from urllib.parse import quote_plus, urlencode, urlsplit

from trader.domain.errors import InvalidInput


class StreamLogin:
    """One for all connections: the token is a part of the address, so it is put together at every try."""

    def __init__(self, url: str, api_key: str, access_token: str) -> None:
        """``access_token`` may be empty: then nothing is tried before ``renew``."""
        if urlsplit(url).scheme not in ("ws", "wss") or not urlsplit(url).hostname:
            raise InvalidInput(f"The stream's address must be like wss://ws.kite.trade, was {url!r}.")
        self._url = url
        self._api_key = api_key
        self.access_token = ""
        self.granted = asyncio.Event()  # clear: no connection may be tried
        self.renew(access_token)

    @property
    def address(self) -> str:
        """Secret: never to be logged or told."""
        query = urlencode({"api_key": self._api_key, "access_token": self.access_token})
        return f"{self._url}{'&' if '?' in self._url else '?'}{query}"

    @property
    def loopback(self) -> bool:
        return urlsplit(self._url).hostname in ("127.0.0.1", "localhost", "::1")

    def renew(self, access_token: str) -> None:
        self.access_token = access_token
        if access_token:
            self.granted.set()

    def refuse(self, access_token: str) -> bool:
        """Kite refused this token. Whether that is news: not when it was refused before, nor when a newer one
        came while the answer was under way."""
        news = self.granted.is_set() and access_token == self.access_token
        if news:
            self.granted.clear()
        return news

    def hide(self, text: str) -> str:
        """``text`` without the secrets that a library may have put into it."""
        for secret in (self.access_token, self._api_key):
            for form in {secret, quote_plus(secret)} - {""}:
                text = text.replace(form, "…")
        return text
