"""The kiteconnect package, imported late: it pulls in Twisted, which the paper desk never needs."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from trader.broker.zerodha.credentials import LOOPBACK
from trader.broker.zerodha.lean import lean_session

KiteClient = Any  # kiteconnect ships no types
ANY_IPV4 = ("0.0.0.0", 0)  # noqa: S104 - where connections leave from; nothing listens


def kite_client(
    api_key: str, root: str, *, access_token: str = "", timeout: float = 7.0, proxy: str = ""
) -> KiteClient:
    """A KiteConnect that leaves by IPv4 only, for addresses are registered by family (kite.md 14).
    ``timeout`` in seconds, for the connection and for each read. Close it with ``reqsession.close()``."""
    from kiteconnect import KiteConnect  # type: ignore[import-untyped]  # the package ships no types

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
    client.reqsession = lean_session(ANY_IPV4)
    # For its proxies; a .netrc, which would replace the token, is not read by this kind of session.
    client.reqsession.trust_env = urlsplit(root).hostname not in LOOPBACK
    for scheme in ("http://", "https://"):
        client.reqsession.mount(scheme, _ipv4_adapter()())
    return client


@cache
def _ipv4_adapter() -> Any:
    from requests.adapters import HTTPAdapter

    class IPv4Adapter(HTTPAdapter):
        """A socket bound to an IPv4 address cannot connect to an IPv6 one, so urllib3 tries the next."""

        def init_poolmanager(self, *args: Any, **named: Any) -> None:
            super().init_poolmanager(*args, source_address=ANY_IPV4, **named)

        def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
            return super().proxy_manager_for(proxy, source_address=ANY_IPV4, **named)

    return IPv4Adapter
