"""``requests`` without what a browser would need: cookies, redirects, authentication, the environment read
anew for every request. They were half of what was done before the first byte of an order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit


def lean_session() -> Any:
    """A ``requests.Session`` for an API that answers every request itself: what is no answer of its own, a
    redirect too, is left to the hooks. Nothing of ``.netrc`` or of an earlier answer goes with a request."""
    return _kind()()


@cache
def _kind() -> Any:
    """Made late, with the package."""
    from requests import PreparedRequest, Session
    from requests.hooks import dispatch_hook
    from requests.structures import CaseInsensitiveDict

    class LeanSession(Session):
        def __init__(self) -> None:
            super().__init__()
            self._ways: dict[object, dict[str, Any]] = {}

        def request(  # type: ignore[override]  # what the package passes, and no more
            self,
            method: Any,
            url: Any,
            params: Any = None,
            data: Any = None,
            headers: Any = None,
            timeout: Any = None,
            proxies: Any = None,
            verify: Any = None,
            json: Any = None,
            **_others: object,
        ) -> Any:
            """``_others`` of the package is the wish to follow redirects, which is not granted."""
            sent = PreparedRequest()
            sent.method, sent.hooks = method, self.hooks
            sent.url = f"{url}?{encoded(params)}" if params else url
            sent.headers = CaseInsensitiveDict(self.headers)
            sent.headers.update(headers or {})
            kind, sent.body = _body(data, json)
            if sent.body is not None or method != "GET":
                sent.headers["Content-Length"] = str(len(sent.body or b""))
            if kind:
                sent.headers["Content-Type"] = kind
            answer = self.get_adapter(url).send(sent, timeout=timeout, **self._way(url, proxies, verify))
            answer = dispatch_hook("response", self.hooks, answer)
            answer.content  # noqa: B018 - read whole, which gives the connection back
            return answer

        def _way(self, url: str, proxies: Any, verify: Any) -> dict[str, Any]:
            """Proxies and certificates; the environment's say in them is asked for once for each host."""
            parts = urlsplit(url)
            key = (parts.scheme, parts.netloc, self.trust_env, verify, *sorted((proxies or {}).items()))
            if key not in self._ways:
                self._ways[key] = self.merge_environment_settings(url, proxies or {}, None, verify, None)
            return self._ways[key]

    return LeanSession


def encoded(fields: Mapping[str, object]) -> str:
    """As ``requests`` encodes a form: what is None is left out, a list is its name repeated."""
    pairs: list[tuple[str, object]] = []
    for name, value in fields.items():
        many = value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else (value,)
        pairs += [(name, one) for one in many if one is not None]
    return urlencode(pairs)


def _body(form: Any, document: Any) -> tuple[str, bytes | None]:
    if document:
        return "application/json", json.dumps(document, allow_nan=False).encode()
    if form:
        return "application/x-www-form-urlencoded", encoded(form).encode()
    return "", None
