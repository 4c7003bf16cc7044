"""The first tables: services, changes, the ledger, intended acts, tokens, the epoch."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and make the ledger append-only."""
    op.create_table(
        "service",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("last_number", sa.Integer, nullable=False),
        sa.Column("held_by", sa.Text),
        sa.Column("held_because", sa.Text),
        sa.Column("held_at", sa.Float),
    )
    op.create_table(
        "change",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("state_version", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.UniqueConstraint("service", "number", name="one_change_for_a_number"),
    )
    op.create_table(
        "ledger",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("service", sa.String),
        sa.Column("change", sa.Integer),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("says", sa.Text, nullable=False),
        sa.Column("by", sa.Text),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ledger_of_a_change", "ledger", ["service", "change", "seq"])
    op.create_table(
        "intended_act",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("change", sa.Integer, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("acts_of_a_change", "intended_act", ["service", "change", "id"])
    op.create_table(
        "token",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("hashed", sa.String, nullable=False, unique=True),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("revoked_at", sa.Float),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
    )
    _forbid("update", "BEFORE UPDATE ON ledger")
    _forbid("delete", "BEFORE DELETE ON ledger")
    # INSERT OR REPLACE would otherwise pass by both: SQLite deletes there without a trigger.
    _forbid(
        "replace",
        "BEFORE INSERT ON ledger WHEN EXISTS (SELECT 1 FROM ledger WHERE seq = NEW.seq)",
    )


def _forbid(name: str, when: str) -> None:
    op.execute(
        f"CREATE TRIGGER ledger_no_{name} {when} "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    )
