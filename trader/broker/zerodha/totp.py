"""The one-time codes of Kite's second factor: RFC 6238 with SHA-1, six digits, 30 seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from trader.domain.errors import BrokerUnavailable, InvalidInput

STEP = 30  # seconds a code is good for
LONGEST_WAIT = 4  # steps; two are enough while the clock moves
LEAST_LEFT = 3.0  # seconds; less, and it may be over when it arrives


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """``step``: which 30 seconds since 1970 it belongs to."""

    digits: str = field(repr=False)
    step: int


def check_secret(given: str) -> str:
    """The base32 secret behind what Zerodha shows: groups with spaces, or the whole otpauth:// address.

    Raises InvalidInput, never with the secret.
    """
    import pyotp

    secret = given.strip()
    if secret.startswith("otpauth:"):
        secret = parse_qs(urlsplit(secret).query).get("secret", [""])[0]
    secret = secret.replace(" ", "").replace("-", "").rstrip("=").upper()
    try:
        if len(secret) < 16:
            raise ValueError("too short")  # noqa: TRY301 - one sentence for both faults
        pyotp.TOTP(secret).at(0)
    except ValueError:
        raise InvalidInput(
            "KITE_TOTP_SECRET must be the text key (letters A–Z and digits 2–7, 16 or more) that Kite shows "
            "under the QR code when external TOTP is switched on; the six digits of an app are not it."
        ) from None
    return secret


async def fresh_code(
    secret: str,
    after: int,
    now: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]],
) -> OneTimeCode:
    """A code of a later step than ``after`` with time left to arrive; waits a minute at most for one.

    Raises InvalidInput for the secret, BrokerUnavailable where the clock stands still."""
    import pyotp

    totp = pyotp.TOTP(check_secret(secret))
    if after > int(now().timestamp() // STEP) + 1:
        after = 0  # it was sent by a clock that went ahead; waiting for that time could take days
    for _ in range(LONGEST_WAIT):
        at = now()
        step, into = divmod(at.timestamp(), STEP)
        if step > after and STEP - into >= LEAST_LEFT:
            # An aware time: from a number pyotp would go through the host's zone and its repeated hour.
            return OneTimeCode(totp.at(at), int(step))
        await sleep(STEP - into + 0.1)
    raise BrokerUnavailable("The clock stands still, so there is no new one-time code.")
