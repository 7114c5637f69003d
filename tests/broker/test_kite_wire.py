"""Our own way from the lean session to the socket: once, whole, over connections that are kept."""

from __future__ import annotations

import gzip
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests import Request, Session
from requests.exceptions import ChunkedEncodingError, ConnectionError, ReadTimeout, RequestException, SSLError

from trader.broker.zerodha.faults import order_fault
from trader.broker.zerodha.ipv4 import ANY_IPV4
from trader.broker.zerodha.lean import LeanSession, _host
from trader.broker.zerodha.sdk import kite_client
from trader.broker.zerodha.wire import Wire, connections
from trader.domain.errors import OrderNotSent, OutcomeUnknown

FORM = {"tradingsymbol": "M&M", "quantity": 1}
SENT = b"tradingsymbol=M%26M&quantity=1"


def answer(body: bytes = b"{}", *headers: bytes) -> bytes:
    lines = (b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Script:
    """Gives one answer after the other, whoever asks; an empty one is a connection closed without, None is
    silence. After ``last`` answers on a connection it is closed."""

    def __init__(
        self, answers: Sequence[bytes | None], last: int = 100, tls: ssl.SSLContext | None = None
    ) -> None:
        self.answers, self.last, self.tls = list(answers), last, tls
        self.asked: list[tuple[int, bytes]] = []  # the connection's number and the whole request
        self.listener = socket.create_server(("127.0.0.1", 0))
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        number = 0
        with suppress(OSError):  # the listener is closed at the end
            while True:
                connection, _ = self.listener.accept()
                number += 1
                with suppress(OSError), connection:  # a client that does not believe us hangs up
                    if self.tls is None:
                        self.serve(number, connection)
                    else:
                        with self.tls.wrap_socket(connection, server_side=True) as secured:
                            self.serve(number, secured)

    def serve(self, number: int, connection: socket.socket) -> None:
        for _ in range(self.last):
            if not (request := _request(connection)):
                return
            self.asked.append((number, request))
            given = self.answers.pop(0)
            if given == b"":
                return
            if given:
                connection.sendall(given)


def _request(connection: socket.socket) -> bytes:
    got = b""
    while True:
        start, whole, body = got.partition(b"\r\n\r\n")
        length = int(start.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
        if whole and len(body) >= length:
            return got
        if not (part := connection.recv(65536)):
            return b""
        got += part


@contextmanager
def scripted(*answers: bytes | None, last: int = 100, tls: ssl.SSLContext | None = None) -> Iterator[Script]:
    script = Script(answers, last, tls)
    thread = Thread(target=script.run, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        with suppress(OSError):
            script.listener.shutdown(socket.SHUT_RDWR)
        script.listener.close()
        thread.join(5)


@contextmanager
def lean() -> Iterator[Session]:
    with LeanSession() as session:
        session.trust_env = False
        yield session


def test_one_connection_serves_one_request_after_the_other() -> None:
    with scripted(*[answer()] * 3) as server, lean() as session:
        for _ in range(3):
            assert session.request("POST", f"{server.url}/orders", data=FORM, timeout=5).json() == {}
    assert [number for number, _ in server.asked] == [1, 1, 1]
    assert all(request.endswith(b"\r\n\r\n" + SENT) for _, request in server.asked)


def test_a_connection_the_other_side_closed_is_replaced_before_anything_is_sent() -> None:
    with scripted(*[answer()] * 3, last=1) as server, lean() as session:
        for _ in range(3):
            session.request("POST", f"{server.url}/orders", data=FORM, timeout=5)
            _closed_by_now(session)
    assert [number for number, _ in server.asked] == [1, 2, 3]


def _closed_by_now(session: Session) -> None:
    """Until the end of the kept connection has come through."""
    (wire,) = [way[0] for way in session._ways.values()]  # type: ignore[attr-defined]  # of the lean session
    for connection in wire._idle:
        connection.sock.settimeout(5)
        connection.sock.recv(1, socket.MSG_PEEK)


def test_a_connection_is_not_kept_when_the_answer_says_so() -> None:
    with scripted(answer(b"{}", b"Connection: close"), answer()) as server, lean() as session:
        for _ in range(2):
            session.request("GET", f"{server.url}/orders", timeout=5)
    assert [number for number, _ in server.asked] == [1, 2]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (b"", ConnectionError),
        (b"HTTP/1.1 2", ConnectionError),
        (b"nonsense\r\n\r\n", ConnectionError),
        (answer(b"{}")[:-1], ChunkedEncodingError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", ChunkedEncodingError),
    ],
)
def test_an_order_whose_answer_breaks_off_left_once_and_its_outcome_is_unknown(
    given: bytes, error: type[Exception]
) -> None:
    with scripted(answer(), given, answer(), last=2) as server, lean() as session:
        session.request("GET", f"{server.url}/profile", timeout=5)
        with pytest.raises(error) as broken:
            session.request("POST", f"{server.url}/orders", data=FORM, timeout=5)
        assert isinstance(order_fault(broken.value), OutcomeUnknown)
        session.request("GET", f"{server.url}/orders", timeout=5)
    assert [number for number, _ in server.asked] == [1, 1, 2], "asked once, and that connection given up"


def test_an_answer_that_does_not_come_is_unknown_and_cannot_be_taken_for_the_next_ones() -> None:
    with scripted(answer(), None, answer()) as server, lean() as session:
        session.request("GET", f"{server.url}/profile", timeout=5)
        with pytest.raises(ReadTimeout) as late:
            session.request("POST", f"{server.url}/orders", data=FORM, timeout=0.05)
        assert isinstance(order_fault(late.value), OutcomeUnknown)
        session.request("GET", f"{server.url}/orders", timeout=5)
    assert [number for number, _ in server.asked] == [1, 1, 2]


def test_answers_come_whole_however_they_are_packed() -> None:
    packed = gzip.compress(b'{"data": 1}')
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n"
        + b'{"data":'
        + b"\r\n2\r\n1}\r\n0\r\n\r\n"
    )
    answers = (answer(packed, b"Content-Encoding: gzip"), chunked, answer(b'{"data": 1}'))
    with scripted(*answers) as server, lean() as session:
        for _ in answers:
            assert session.request("GET", f"{server.url}/quote", timeout=5).json() == {"data": 1}
    assert [number for number, _ in server.asked] == [1, 1, 1]


@pytest.mark.parametrize(
    "way", ["/orders/regular/a b", "/orders/regular/ä", "/orders/x'y\"<>", "", "/a%20b", "/a|b"]
)
def test_a_strange_address_is_asked_for_as_requests_would(way: str) -> None:
    with scripted(answer()) as server, lean() as session:
        session.request("GET", f"{server.url}{way}", timeout=5)
        theirs = Request("GET", f"{server.url}{way}").prepare().path_url
    assert server.asked[0][1].split(b" ")[1] == theirs.encode()


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\r\n\r\nGET / HTTP/1.1"])
def test_no_header_breaks_out_of_its_line(token: str) -> None:
    headers = {"Authorization": token}
    with (
        scripted(answer()) as server,
        lean() as session,
        pytest.raises(ValueError, match="one line each"),
    ):
        session.request("POST", f"{server.url}/orders", headers=headers, data=FORM, timeout=5)
    assert not server.asked


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.kite.trade/orders", "api.kite.trade"),
        ("https://api.kite.trade:443/orders", "api.kite.trade"),
        ("http://127.0.0.1:5000/orders", "127.0.0.1:5000"),
        ("http://api.kite.trade:443/orders", "api.kite.trade:443"),
    ],
)
def test_the_host_is_named_with_its_port_unless_that_is_the_schemes_own(url: str, host: str) -> None:
    assert _host(urlsplit(url)) == host


# -- the way out -----------------------------------------------------------------------------------------


def test_connections_leave_by_ipv4() -> None:
    client = kite_client("key", "https://api.kite.trade")
    way, _ = client.reqsession._way("https://api.kite.trade/orders", ("https", "api.kite.trade"), {}, True)
    assert isinstance(way, Wire)
    made = way._make(7.0)
    assert (made.source_address, made.host, made.port, made.timeout) == (ANY_IPV4, "api.kite.trade", 443, 7.0)
    client.reqsession.close()


@pytest.mark.parametrize("named", ["proxies", "environment"])
def test_a_host_behind_a_proxy_is_reached_through_it(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(answer()) as proxy, LeanSession() as session:
        if named == "environment":
            monkeypatch.setenv("http_proxy", proxy.url)
            session.request("GET", "http://kite.test/orders", timeout=5)
        else:
            session.request("GET", "http://kite.test/orders", timeout=5, proxies={"http": proxy.url})
    assert proxy.asked[0][1].startswith(b"GET http://kite.test/orders HTTP/1.1\r\n")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that nobody else vouches for, its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "authority.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _secured(authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    return context


def test_a_certificate_the_environment_vouches_for_is_believed(
    authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    with scripted(answer(), answer(), tls=_secured(authority)) as server, LeanSession() as session:
        for _ in range(2):
            session.request("POST", f"{server.url}/orders", data=FORM, timeout=5)
    assert [number for number, _ in server.asked] == [1, 1]


def test_a_certificate_nobody_vouches_for_gets_no_order(authority: Path) -> None:
    with (
        scripted(answer(), tls=_secured(authority)) as server,
        lean() as session,
        pytest.raises(SSLError) as refused,
    ):
        session.request("POST", f"{server.url}/orders", data=FORM, timeout=5)
    fault = order_fault(refused.value)
    assert type(fault) is OrderNotSent
    assert "no secure connection" in str(fault)
    assert "Nothing was sent" in str(fault)
    assert not server.asked


def test_nobody_listening_is_nothing_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with lean() as session, pytest.raises(ConnectionError) as refused:
        session.request("POST", f"http://127.0.0.1:{port}/orders", data=FORM, timeout=5)
    assert type(order_fault(refused.value)) is OrderNotSent


@pytest.mark.parametrize("url", ["ftp://kite.test/orders", "http:///orders", "nonsense"])
def test_an_address_that_leads_nowhere_is_refused_as_requests_would(url: str) -> None:
    with lean() as session, pytest.raises(RequestException):
        session.request("GET", url, timeout=5)


def test_what_comes_back_after_the_end_is_not_kept() -> None:
    with scripted(answer()) as server, lean() as session:
        wire, _ = session._way(server.url, tuple(server.url.split("://")), {}, None)  # type: ignore[attr-defined]  # of the lean session
        message = b"GET / HTTP/1.1\r\n\r\n"

        def read(raw: Any) -> bytes:
            wire.close()
            return bytes(raw.read())

        assert wire.ask("GET", message, 5, read) == b"{}"
        assert not wire._idle


def test_authorities_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="found nothing"):
        connections("https", "api.kite.trade", None, None, str(tmp_path / "none.pem"))
