"""The lean session sends what ``requests`` sends and leaves out what an API has no use for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests import Session
from requests.models import RequestEncodingMixin

from trader.broker.zerodha.lean import LeanSession, encoded

VALUES = st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")) | st.floats()


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES | st.lists(VALUES, max_size=3)))
def test_a_form_is_encoded_as_requests_encodes_it(form: dict[str, Any]) -> None:
    assert encoded(form) == RequestEncodingMixin._encode_params(form)


class Echo(BaseHTTPRequestHandler):
    """Answers what it was asked; ``/away`` leads elsewhere and sets a cookie."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.asked.append({"line": self.requestline, "body": body, "headers": dict(self.headers)})
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "/home")
        self.send_header("Set-Cookie", "left=behind")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def echo() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Echo)
    Thread(target=server.serve_forever, daemon=True).start()
    Echo.asked.clear()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("method", "sent"),
    [
        ("GET", {"params": {"i": ["NSE:INFY", "NSE:M&M"]}}),
        ("GET", {}),
        ("DELETE", {"params": {"variety": "regular", "parent_order_id": None}}),
        ("POST", {"data": {"tradingsymbol": "M&M", "quantity": 10, "price": "90.05", "tag": "MÄ 1"}}),
        ("POST", {"json": [{"exchange": "NSE", "quantity": 1}], "params": {"mode": "compact"}}),
        ("POST", {"data": {}}),
        ("PUT", {"data": {"order_id": "19", "trigger_price": 95.5, "none": None}}),
    ],
)
def test_a_request_is_what_requests_would_have_sent(method: str, sent: dict[str, Any]) -> None:
    headers = {"X-Kite-Version": "3", "Authorization": "token k:t", "User-Agent": "Kite"}
    with echo() as url, Session() as plain, LeanSession() as lean:
        plain.trust_env = lean.trust_env = False
        for session in (plain, lean):
            session.request(method, f"{url}/orders", headers=headers, timeout=5, **sent)
        theirs, ours = Echo.asked
    if "json" in sent:
        theirs["body"], ours["body"] = json.loads(theirs["body"]), json.loads(ours["body"])
    assert ours["line"] == theirs["line"]
    assert ours["body"] == theirs["body"]
    assert {k.lower(): v for k, v in ours["headers"].items()} == {
        k.lower(): v for k, v in theirs["headers"].items()
    }


def test_no_redirect_is_followed_and_no_cookie_is_kept() -> None:
    with echo() as url, LeanSession() as lean:
        lean.trust_env = False
        answer = lean.request("POST", f"{url}/away", data={"quantity": 1}, timeout=5, allow_redirects=True)
        lean.request("GET", f"{url}/orders", timeout=5)
        assert answer.status_code == 302
        assert [asked["line"].split()[1] for asked in Echo.asked] == ["/away", "/orders"]
        assert "Cookie" not in Echo.asked[1]["headers"]


def test_every_answer_meets_the_hooks() -> None:
    seen = []
    with echo() as url, LeanSession() as lean:
        lean.trust_env = False
        lean.hooks["response"].append(lambda answer, **_: seen.append(answer.status_code))
        for path in ("/away", "/orders"):
            lean.request("GET", f"{url}{path}", timeout=5)
    assert seen == [302, 200]


def test_each_request_goes_with_its_own_headers() -> None:
    with echo() as url, LeanSession() as lean:
        lean.trust_env = False
        for token in ("yesterday", "today", "today", "yesterday"):
            lean.request("POST", f"{url}/orders", headers={"authorization": token}, data={"a": 1}, timeout=5)
        lean.request("GET", f"{url}/orders", timeout=5)
    sent = [{k.lower(): v for k, v in asked["headers"].items()} for asked in Echo.asked]
    assert [one.get("authorization") for one in sent] == ["yesterday", "today", "today", "yesterday", None]
    assert [one.get("content-length") for one in sent] == ["3"] * 4 + [None]
