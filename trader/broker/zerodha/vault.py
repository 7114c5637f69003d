"""The session at rest: encrypted with what only this app's owner has."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

log = logging.getLogger(__name__)


class TokenStore(Protocol):
    """One text, kept across restarts. Raises LedgerError."""

    async def read(self) -> str | None: ...

    async def write(self, text: str) -> None: ...


class TokenVault:
    """A copied database is of no use without KITE_API_SECRET, and a changed secret only costs a login.

    The key is derived with HKDF-SHA256 (RFC 5869): the secret is long and random, so no slow hash is needed.
    """

    def __init__(self, api_key: str, api_secret: str) -> None:
        self._api_key = api_key
        self._api_secret = api_secret

    def encrypt(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, text: str) -> str | None:
        """None: another key's text, a damaged one, or none of ours at all."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(text.encode()).decode()
        except (InvalidToken, ValueError):  # ValueError: not even text
            log.warning(
                "The stored Kite session cannot be read (damaged, or of another app): a login is needed"
            )
            return None

    @cached_property
    def _fernet(self) -> Fernet:
        from base64 import urlsafe_b64encode

        from cryptography.fernet import Fernet
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derivation = HKDF(SHA256(), length=32, salt=self._api_key.encode(), info=b"munim: kite session")
        return Fernet(urlsafe_b64encode(derivation.derive(self._api_secret.encode())))
