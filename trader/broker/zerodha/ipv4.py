"""Connections by IPv4 only. Imported late, with the package."""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter

ANY_IPV4 = ("0.0.0.0", 0)  # noqa: S104 - where connections leave from; nothing listens


class IPv4Adapter(HTTPAdapter):
    """A socket bound to an IPv4 address cannot connect to an IPv6 one, so urllib3 tries the next."""

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, source_address=ANY_IPV4, **named)

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        return super().proxy_manager_for(proxy, source_address=ANY_IPV4, **named)
