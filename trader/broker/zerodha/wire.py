"""Connections straight to one host, kept open, for ``lean.py``.

From a request to its first byte ``requests`` and urllib3 take 0.5 ms of a desk that has just done something
else (measured, 2 vCPU): adapters, pools and retries that are set up anew for each. Here the bytes are joined
and handed to the socket; connecting and reading are urllib3's and the standard library's.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from ssl import SSLError as TlsError
from typing import Any

from requests import exceptions as ex
from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError
from urllib3.response import HTTPResponse as Response

KEPT = 10  # connections, as many as ``requests`` keeps


class Wire:
    """``connection`` makes one of urllib3's, not connected yet, for a timeout in seconds."""

    def __init__(self, connection: Callable[[float | None], Any]) -> None:
        self._make = connection
        self._idle: list[Any] = []  # the newest is used first
        self._closed = False

    def ask(self, method: str, message: bytes, timeout: float | None, read: Callable[[Any], Any]) -> Any:
        """Send ``message`` once, and what ``read`` makes of urllib3's response to it; ``read`` reads it
        whole. Raises the exceptions of ``requests``: where nothing left, with urllib3's reason within."""
        connection = self._connected(timeout)
        try:
            heard = _sent(connection.sock, method, message, timeout)
            try:
                answer = read(_response(heard))
            finally:
                whole = heard.isclosed()  # as it does by itself after the last byte
                heard.close()
        except BaseException:
            connection.close()
            raise
        if whole and not heard.will_close and len(self._idle) < KEPT:
            self._idle.append(connection)
            if self._closed:  # perhaps meanwhile, by another thread
                self.close()
        else:
            connection.close()
        return answer

    def close(self) -> None:
        self._closed = True
        while (connection := self._kept()) is not None:
            connection.close()

    def _connected(self, timeout: float | None) -> Any:
        while (connection := self._kept()) is not None:
            if connection.is_connected:  # as far as this side was told
                return connection
            connection.close()
        connection = self._make(timeout)
        try:
            connection.connect()
        except BaseException as error:
            connection.close()
            _explain(error)
            raise
        return connection

    def _kept(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return None


def _sent(sock: Any, method: str, message: bytes, timeout: float | None) -> HTTPResponse:
    sock.settimeout(timeout)
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it hung up
            sock.sendall(message)
        heard = HTTPResponse(sock, method=method)
        try:
            heard.begin()
        except BaseException:
            heard.close()
            raise
    except (OSError, HTTPException) as error:
        raise (ex.ReadTimeout if isinstance(error, TimeoutError) else ex.ConnectionError)(error) from error
    return heard


def _response(heard: HTTPResponse) -> Any:
    return Response(
        body=heard,
        headers=HTTPHeaderDict(heard.getheaders()),
        status=heard.status,
        version=heard.version,
        reason=heard.reason,
        preload_content=False,
        decode_content=False,
        original_response=heard,
        enforce_content_length=True,
    )


def _explain(error: BaseException) -> None:
    """Raise ``error``, of connecting, as ``requests`` would."""
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
        raise ex.ConnectTimeout(error) from error
    if isinstance(error, TlsError | SSLError):
        raise ex.SSLError(error) from error
    if isinstance(error, TimeoutError):  # of the handshake
        raise ex.ReadTimeout(error) from error
    if isinstance(error, OSError | HTTPError):
        raise ex.ConnectionError(error) from error


def connections(
    scheme: str, host: str, port: int | None, source: tuple[str, int] | None, authorities: str
) -> Callable[[float | None], Any]:
    """``source``: the address they leave from. ``authorities``: the file or folder of the certificates that
    are believed."""
    if scheme == "http":
        return lambda timeout: HTTPConnection(host, port, timeout=timeout, source_address=source)
    found = Path(authorities)
    if not found.exists():
        raise OSError(f"Expected certificate authorities at {found}, found nothing.")
    return lambda timeout: HTTPSConnection(
        host,
        port,
        timeout=timeout,
        source_address=source,
        cert_reqs="CERT_REQUIRED",
        ca_certs=None if found.is_dir() else authorities,
        ca_cert_dir=authorities if found.is_dir() else None,
    )
