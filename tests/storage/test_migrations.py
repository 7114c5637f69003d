"""Opening databases: new, current, old, newer, damaged, somebody else's."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import ledger_samples as sample
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from storage.engines import database_url, sqlite_url
from storage.ledger import SqlLedger
from storage.migrate import MIGRATIONS, Migrations
from storage.models import metadata
from storage.paper_rows import EXECUTION, ORDER
from storage.rows import ORDER as ORDER_SHAPE
from storage.rows import SHAPES, Shape, statement
from trader.domain.errors import LedgerError, LedgerTooNew

ROOT = Path(__file__).resolve().parents[2]

WORKING = 'op.create_table("added", sa.Column("name", sa.Text()))'
BREAKING = WORKING + '\n    op.drop_table("nowhere")'
SCRIPT = '''"""One more."""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"


def upgrade() -> None:
    {body}
'''


@pytest.fixture
def path(migrated: Path, tmp_path: Path) -> Path:
    """A ledger of the current revision with an order in it."""
    path = tmp_path / "data" / "munim.db"
    path.parent.mkdir()
    shutil.copy(migrated, path)
    return path


def next_revision(folder: Path, body: str) -> Migrations:
    """Our migrations and one more."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(MIGRATIONS.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "0003_more.py").write_text(SCRIPT.format(body=body))
    return Migrations(folder, head="0003")


async def opened_and_closed(path: Path, migrations: Migrations = MIGRATIONS) -> SqlLedger:
    ledger = SqlLedger(sqlite_url(path), migrations=migrations)
    await ledger.open()
    await ledger.close()
    return ledger


async def with_an_order(path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{path}")
    await ledger.open()
    await ledger.commit([sample.order()])
    await ledger.close()


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_the_head_the_code_names_is_the_scripts_own() -> None:
    assert ScriptDirectory(str(MIGRATIONS.folder)).get_heads() == [MIGRATIONS.head]


def test_the_migrations_make_exactly_the_tables_of_the_models(migrated: Path) -> None:
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_a_new_ledger_makes_its_folder_and_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet %41 ? #1" / "munim.db"
    ledger = await opened_and_closed(path)
    assert ledger.copied_to is None
    assert [file.name for file in path.parent.iterdir()] == ["munim.db"]
    assert query(path, "SELECT version_num FROM alembic_version") == [(MIGRATIONS.head,)]


async def test_opening_leaves_the_programs_logging_alone(tmp_path: Path) -> None:
    before = (logging.root.level, list(logging.root.handlers), logging.getLogger("munim").disabled)
    await opened_and_closed(tmp_path / "munim.db")
    assert (logging.root.level, list(logging.root.handlers), logging.getLogger("munim").disabled) == before


def test_a_current_ledger_opens_without_alembic(path: Path) -> None:
    code = (
        "import asyncio, sys; from storage.ledger import SqlLedger\n"
        "async def main():\n"
        "    ledger = SqlLedger(sys.argv[1])\n"
        "    await ledger.open(); await ledger.load(); await ledger.close()\n"
        "asyncio.run(main()); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{path}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_the_twins_do_not_pay_for_sqlalchemy() -> None:
    code = "import sys, storage.memory, storage.paper, storage.exports; print('sqlalchemy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("False", "")


async def test_before_an_upgrade_the_records_are_copied(path: Path, tmp_path: Path) -> None:
    await with_an_order(path)
    ledger = await opened_and_closed(path, next_revision(tmp_path / "next", WORKING))
    copy = ledger.copied_to
    assert copy is not None
    assert copy.parent == path.parent
    assert copy.name.startswith("munim.before-0003-")
    assert query(copy, "SELECT tag FROM orders") == query(path, "SELECT tag FROM orders") == [("m1",)]
    assert query(copy, "SELECT version_num FROM alembic_version") == [("0002",)]
    assert query(path, "SELECT version_num FROM alembic_version") == [("0003",)]
    assert query(path, "SELECT count(*) FROM added") == [(0,)]
    again = await opened_and_closed(path, next_revision(tmp_path / "next", WORKING))
    assert again.copied_to is None


async def test_the_copy_can_be_put_back(path: Path, tmp_path: Path) -> None:
    await with_an_order(path)
    ledger = await opened_and_closed(path, next_revision(tmp_path / "next", WORKING))
    assert ledger.copied_to is not None
    ledger.copied_to.replace(path)
    back = SqlLedger(f"sqlite:///{path}")
    await back.open()
    assert await back.orders() == [sample.order()]
    await back.close()


async def test_an_upgrade_that_fails_leaves_the_ledger_as_it_was(path: Path, tmp_path: Path) -> None:
    await with_an_order(path)
    before = query(path, "SELECT name, sql FROM sqlite_master ORDER BY name")
    with pytest.raises(LedgerError, match=r"it is as it was\. A copy from before is"):
        await opened_and_closed(path, next_revision(tmp_path / "next", BREAKING))
    assert query(path, "SELECT name, sql FROM sqlite_master ORDER BY name") == before
    assert query(path, "SELECT version_num FROM alembic_version") == [("0002",)]
    await opened_and_closed(path)  # and the old code still runs on it
    repaired = await opened_and_closed(path, next_revision(tmp_path / "next", WORKING))
    assert repaired.copied_to is not None


async def test_a_ledger_of_a_newer_munim_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
        connection.commit()
    with pytest.raises(LedgerTooNew, match="revision 0999, this Munim knows up to"):
        await opened_and_closed(path)
    assert [file.name for file in path.parent.iterdir()] == ["munim.db"]  # nothing copied, nothing touched


async def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (name)")
    with pytest.raises(LedgerError, match="not Munim's"):
        await opened_and_closed(path)
    assert query(path, "SELECT name FROM sqlite_master") == [("photos",)]


@pytest.mark.parametrize("damage", ["not a database", "a page overwritten", "pages lost", "cut short"])
async def test_a_damaged_ledger_is_refused_with_what_to_do(path: Path, damage: str) -> None:
    await with_an_order(path)
    ruined = ruin(path, damage)
    with pytest.raises(LedgerError, match=r"is damaged .* put the newest copy back"):
        await opened_and_closed(path)
    assert content_of(path) == ruined


@pytest.mark.parametrize("damage", ["UPDATE orders SET price = '1O0.5'", "UPDATE orders SET state = 'OPeN'"])
async def test_a_record_whose_bytes_were_turned_over_is_damage_and_no_trace(path: Path, damage: str) -> None:
    await with_an_order(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(damage).rowcount == 1
        connection.commit()
    ledger = SqlLedger(sqlite_url(path))
    await ledger.open()
    try:
        with pytest.raises(LedgerError, match=r"is damaged \(a record makes no sense: .* newest copy back"):
            await ledger.load()
    finally:
        await ledger.close()


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def ruin(path: Path, damage: str) -> bytes:
    content = path.read_bytes()
    ((page,),) = query(
        path, "SELECT rootpage FROM sqlite_master WHERE name = 'fills'"
    )  # opening reads none of it
    start = 4096 * (int(str(page)) - 1)
    ruined = {
        "not a database": b"Dear diary, " * 1000,
        "a page overwritten": content[:start] + b"\xff" * 4096 + content[start + 4096 :],
        "pages lost": content[:36] + (5).to_bytes(4, "big") + content[40:],  # the header's count of free ones
        "cut short": content[: len(content) // 2],
    }[damage]
    path.write_bytes(ruined)
    return ruined


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be made"):
        await opened_and_closed(tmp_path / "file" / "munim.db")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("sqlite:///data/munim.db", "sqlite+aiosqlite:///data/munim.db"),
        ("sqlite+aiosqlite:////var/munim.db", "sqlite+aiosqlite:////var/munim.db"),
        ("postgres://me:secret@host:5433/desk", "postgresql+psycopg://me:***@host:5433/desk"),
        ("postgresql://me@host/desk?sslmode=require", "postgresql+psycopg://me@host/desk?sslmode=require"),
        ("postgresql+asyncpg://me@host/desk", "postgresql+asyncpg://me@host/desk"),
    ],
)
def test_addresses_get_an_async_driver(text: str, means: str) -> None:
    assert str(database_url(text)) == means


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data/munim.db", "cannot be read"),
        ("postgres://me:secret@host:port/desk", "cannot be read"),
        ("mysql://me:secret@host/desk", "names 'mysql'"),
        ("nosuchthing://me:secret@host/desk", "nosuchthing"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_addresses_that_cannot_be_used_are_explained_without_the_password(text: str, said: str) -> None:
    with pytest.raises(LedgerError, match=said) as refused:
        database_url(text)
    assert "secret" not in str(refused.value)


@pytest.mark.skipif(find_spec("asyncpg") is not None, reason="the driver is installed here")
async def test_a_missing_driver_is_named_with_its_cure() -> None:
    with pytest.raises(LedgerError, match="uv pip install asyncpg") as refused:
        await SqlLedger("postgresql+asyncpg://me:secret@localhost/desk").open()
    assert "secret" not in str(refused.value)


def test_the_tables_are_valid_for_postgresql() -> None:
    dialect = postgresql.dialect()
    for table in metadata.sorted_tables:
        made = str(CreateTable(table).compile(dialect=dialect))
        assert "INTEGER" not in made.replace("priority INTEGER", "")  # quantities need 64 bits
        for index in table.indexes:
            CreateIndex(index).compile(dialect=dialect)


@pytest.mark.parametrize("shape", [*SHAPES.values(), ORDER, EXECUTION], ids=lambda shape: shape.kind.__name__)
def test_every_kind_can_be_written_to_postgresql(shape: Shape[object]) -> None:
    written = statement(shape, "postgresql").compile(
        dialect=postgresql.dialect(), column_keys=list(shape.columns), for_executemany=True
    )
    assert set(written.params) >= set(shape.columns)


async def test_orders_of_the_first_shape_are_day_orders(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    shutil.copytree(MIGRATIONS.folder, folder, ignore=shutil.ignore_patterns("__pycache__", "0002_*"))
    path = tmp_path / "munim.db"
    await opened_and_closed(path, Migrations(folder, head="0001"))
    row = dict(zip(ORDER_SHAPE.columns, ORDER_SHAPE.row(sample.order()), strict=True))
    del row["validity"]
    texts = {name: None if value is None else str(value) for name, value in row.items()}
    texts["created_at"] = texts["updated_at"] = "2026-11-23T03:45:00.000000Z"
    with closing(sqlite3.connect(path)) as connection:
        names = ", ".join(f'"{name}"' for name in texts)
        marks = ", ".join("?" * len(texts))
        connection.execute(f"INSERT INTO orders ({names}) VALUES ({marks})", list(texts.values()))  # noqa: S608 - names of our own
        connection.commit()
    await opened_and_closed(path)
    assert query(path, "SELECT validity FROM orders") == [("DAY",)]
    assert query(path, "SELECT version_num FROM alembic_version") == [("0002",)]
