"""The owner's one-time codes, brought to the phone: a new secret where there is none, the picture to scan."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

NAME = "Munim"
SHOWN = "owner-codes.shown"  # in the data folder: the hash of the secret that was shown


def new_secret() -> str:
    """What is to be done with a fresh one, in lines."""
    import pyotp

    return (
        "For the codes that /live asks for, put this line into .env, and run doctor again to scan it\n"
        "with your authenticator (it is made up now, and kept nowhere):\n"
        f"OWNER_TOTP_SECRET={pyotp.random_base32()}"
    )


def shown_once(secret: str, folder: Path) -> str:
    """The secret as a picture of characters, for the phone's camera; only a sentence when it was shown
    before, for whoever scans it has the codes too."""
    mark = folder / SHOWN
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if mark.exists() and mark.read_text().strip() == digest:
        return (
            "The owner's code was shown before, and is not shown again. For another phone set another\n"
            f"OWNER_TOTP_SECRET, or delete {mark}."
        )
    picture = _picture(secret)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(digest)
    return f"Scan this with your authenticator now; it is shown once.\n\n{picture}"


def _picture(secret: str) -> str:
    import pyotp
    import segno

    address = pyotp.TOTP(secret).provisioning_uri(name="owner", issuer_name=NAME)
    drawn = io.StringIO()
    segno.make(address, error="l").terminal(out=drawn, compact=True, border=2)
    return drawn.getvalue()
