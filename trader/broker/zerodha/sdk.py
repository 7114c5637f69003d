"""The kiteconnect package, imported late: it pulls in Twisted, which the paper desk never needs."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from trader.broker.zerodha.credentials import LOOPBACK

KiteClient = Any  # kiteconnect ships no types


def kite_client(
    api_key: str, root: str, *, access_token: str = "", timeout: float = 7.0, proxy: str = ""
) -> KiteClient:
    """A KiteConnect that leaves by IPv4 only, for addresses are registered by family (kite.md 14).
    ``timeout`` in seconds, for the connection and for each read. Close it with ``reqsession.close()``."""
    from kiteconnect import KiteConnect  # type: ignore[import-untyped]  # the package ships no types

    from trader.broker.zerodha.ipv4 import ANY_IPV4, IPv4Adapter
    from trader.broker.zerodha.lean import LeanSession

    # urllib3 logs the path of each call, and that of a logout holds the access token.
    talk = logging.getLogger("urllib3.connectionpool")
    if talk.getEffectiveLevel() < logging.INFO:
        talk.setLevel(logging.INFO)
    proxies = {"http": proxy, "https": proxy} if proxy else None
    client = KiteConnect(
        api_key=api_key,
        access_token=access_token or None,
        root=root,
        timeout=timeout,
        proxies=proxies,
        debug=False,
    )
    client.reqsession.close()
    client.reqsession = LeanSession(ANY_IPV4)
    # For its proxies; a .netrc, which would replace the token, is not read by this kind of session.
    client.reqsession.trust_env = urlsplit(root).hostname not in LOOPBACK
    for scheme in ("http://", "https://"):
        client.reqsession.mount(scheme, IPv4Adapter())
    return client
