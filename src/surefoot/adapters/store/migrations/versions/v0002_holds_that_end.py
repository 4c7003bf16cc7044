"""A hold may have an end, and the last entries of a kind are found without reading all."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the index."""
    op.add_column("service", sa.Column("held_until", sa.Float))
    op.create_index("ledger_of_a_kind", "ledger", ["service", "kind", "seq"])
