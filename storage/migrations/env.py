"""Alembic's entry. The ledger calls it at start with its own connection, inside its own transaction; there
is no command line and no alembic.ini."""

from __future__ import annotations

from alembic import context

from storage.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters most things only by copying the table
    transactional_ddl=True,  # the engine's own BEGIN IMMEDIATE holds it all: all or nothing
)
with context.begin_transaction():
    context.run_migrations()
