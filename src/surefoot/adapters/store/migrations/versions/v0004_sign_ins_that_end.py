"""A token says what it is held by, and may have an end; those of before are keys without one."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("token", sa.Column("kind", sa.String, nullable=False, server_default="key"))
    op.add_column("token", sa.Column("expires_at", sa.Float))
