"""A throw-away PostgreSQL cluster, where the server's programs are on this machine."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path


def installed(name: str) -> str | None:
    """Debian keeps the server's programs out of the path."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name) or next((str(p / name) for p in places if (p / name).exists()), None)


def unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    for user in ("postgres", "nobody"):
        try:
            pwd.getpwnam(user)
        except KeyError:
            continue
        return ["setpriv", "--reuid", user, "--clear-groups", "--"] if shutil.which("setpriv") else []
    return []


def missing() -> str:
    """What a cluster would need; "" when it is all there."""
    if installed("initdb") is None or installed("pg_ctl") is None:
        return "no PostgreSQL server on this machine (apt-get install postgresql)"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed"
    if os.geteuid() == 0 and not unprivileged():
        return "PostgreSQL does not run as root, and there is no other user to run it as"
    return ""


@contextmanager
def cluster() -> Iterator[str]:
    """The address of its empty database, and of nobody else's."""
    initdb, pg_ctl = str(installed("initdb")), str(installed("pg_ctl"))
    with tempfile.TemporaryDirectory(prefix="munim-pg-", dir="/tmp") as made:  # sockets need a short path
        folder = Path(made)
        if as_user := unprivileged():
            shutil.chown(folder, as_user[2])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        data, log = str(folder / "data"), str(folder / "log")
        run = partial(subprocess.run, check=True, capture_output=True, cwd=folder)
        run([*as_user, initdb, "-D", data, "-A", "trust", "-U", "munim", "--no-sync", "-E", "UTF8"])
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
        server = [*as_user, pg_ctl, "-D", data, "-l", log]
        # Its output goes to a file, or the pipe would stay open as long as the server runs.
        subprocess.run(
            [*server, "-w", "-o", options, "start"],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"postgres://munim@127.0.0.1:{port}/postgres"
        finally:
            run([*server, "-m", "immediate", "stop"])
