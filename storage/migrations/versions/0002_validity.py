"""Orders carry how long they are good for. Every order before this was a day order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("validity", sa.Text(), nullable=False, server_default="DAY"))
