"""``requests`` without what a browser would need: cookies, redirects, authentication, the environment read
anew for every request. They were half of what was done before the first byte of an order, and urllib3's pools
most of the rest: a host that needs no proxy is reached over connections of our own (``wire.py``). Imported
late, with the package."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import SplitResult, quote_plus, urlsplit

from requests import PreparedRequest, Session
from requests.hooks import dispatch_hook
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH, requote_uri, select_proxy

from trader.broker.zerodha.wire import Wire, connections

_PLAIN = re.compile(r"[\w\-.~/?&=:+,%]*", re.ASCII).fullmatch  # of a target, that needs no quoting
_SAFE = re.compile(r"[\w.\-~]*", re.ASCII).fullmatch  # what a form leaves as it is
_PORTS = {"http": 80, "https": 443}
Fields = tuple[tuple[str, str], ...]


class LeanSession(Session):
    """A ``requests.Session`` for an API that answers every request itself: what is no answer of its own, a
    redirect too, is left to the hooks. Nothing of ``.netrc`` or of an earlier answer goes with a request.
    ``source``: the address that connections leave from."""

    def __init__(self, source: tuple[str, int] | None = None) -> None:
        super().__init__()
        self._source = source
        self._ways: dict[object, tuple[Wire | None, dict[str, Any]]] = {}
        self._said: tuple[Fields, Fields] = ((), tuple(self.headers.items()))

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
        if params:
            url = f"{url}?{encoded(params)}"
        kind, body = _body(data, json)
        fields = self._fields(tuple((headers or {}).items()))
        if body is not None or method != "GET":
            fields = (*fields, ("Content-Length", str(len(body or b""))))
        if kind:
            fields = (*fields, ("Content-Type", kind))
        parts = urlsplit(url)
        wire, settings = self._way(url, (parts.scheme, parts.netloc), proxies, verify)

        def read(raw: Any) -> Any:
            adapter: Any = self.get_adapter(url)
            answer = adapter.build_response(sent(), raw)
            answer.content  # noqa: B018 - read whole, which gives the connection back
            return answer

        def sent() -> PreparedRequest:
            request = PreparedRequest()
            request.method, request.url, request.body, request.hooks = method, url, body, self.hooks
            request.headers = CaseInsensitiveDict(fields)
            return request

        if wire is None:
            answer = self.get_adapter(url).send(sent(), timeout=timeout, **settings)
        else:
            target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            if not _PLAIN(target):
                target = requote_uri(target)
            message = head(method, target, _host(parts), fields) + (body or b"")
            answer = wire.ask(method, message, timeout, read)
        answer = dispatch_hook("response", self.hooks, answer)
        answer.content  # noqa: B018 - read whole, which gives the connection back
        return answer

    def close(self) -> None:
        for wire, _ in self._ways.values():
            if wire is not None:
                wire.close()
        super().close()

    def _fields(self, headers: Fields) -> Fields:
        """With those of every request beneath. They change with the token, once a day."""
        asked, fields = self._said
        if headers != asked:
            named = {name.lower(): (name, value) for name, value in self.headers.items()}
            fields = tuple((named | {field[0].lower(): field for field in headers}).values())
            self._said = headers, fields
        return fields

    def _way(
        self, url: str, host: tuple[str, str], proxies: Any, verify: Any
    ) -> tuple[Wire | None, dict[str, Any]]:
        """Our own connections, or None and what urllib3's are to be told. Proxies and certificates; the
        environment's say in them is asked for once for each host."""
        key = (host, self.trust_env, verify, *((proxies or {}).items()))
        way = self._ways.get(key)
        if way is None:
            settings = self.merge_environment_settings(url, proxies or {}, None, verify, None)
            way = self._ways.setdefault(key, (self._wire(url, settings), settings))
        return way

    def _wire(self, url: str, settings: dict[str, Any]) -> Wire | None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            return None  # nowhere to go, which urllib3 says better
        if select_proxy(url, settings["proxies"]) or not settings["verify"] or settings["cert"]:
            return None
        believed = DEFAULT_CA_BUNDLE_PATH if settings["verify"] is True else settings["verify"]
        return Wire(connections(parts.scheme, parts.hostname, parts.port, self._source, believed))


def head(method: str, target: str, host: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """The head of a request. ValueError for what would break out of its line."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in fields)]
    text = "\r\n".join(lines)
    if text.count("\r") != len(lines) - 1 or text.count("\n") != len(lines) - 1:
        raise ValueError("Expected a request whose headers are of one line each")
    return f"{text}\r\n\r\n".encode("latin-1")


def _host(parts: SplitResult) -> str:
    """As http.client writes it: the port only where it is not the scheme's own."""
    host = parts.netloc.rpartition("@")[2]
    return host.removesuffix(f":{_PORTS.get(parts.scheme)}")


def encoded(fields: Mapping[str, object]) -> str:
    """As ``requests`` encodes a form: what is None is left out, a list is its name repeated."""
    pairs = []
    for name, value in fields.items():
        kind = type(value)
        if kind is str or kind is int:
            pairs.append(f"{_part(name)}={_part(value)}")
        elif kind is bytes or isinstance(value, str) or not isinstance(value, Iterable):
            pairs += [] if value is None else [f"{_part(name)}={_part(value)}"]
        else:
            pairs += [f"{_part(name)}={_part(one)}" for one in value if one is not None]
    return "&".join(pairs)


def _part(value: object) -> str:
    text = str(value) if type(value) is not bytes else value.decode("latin-1")
    if _SAFE(text):
        return text
    return quote_plus(value if isinstance(value, bytes) else text)


def _body(form: Any, document: Any) -> tuple[str, bytes | None]:
    if document:
        return "application/json", json.dumps(document, allow_nan=False).encode()
    if form:
        return "application/x-www-form-urlencoded", encoded(form).encode()
    return "", None
