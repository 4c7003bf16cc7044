"""The tables as queries see them. The migrations make them, and a test holds both together."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

__all__ = ["act", "change", "ledger", "meta", "metadata", "service", "token"]

metadata = MetaData()

service = Table(
    "service",
    metadata,
    Column("name", String, primary_key=True),
    Column("source", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("last_number", Integer, nullable=False),
    Column("held_by", Text),
    Column("held_because", Text),
    Column("held_at", Float),
    Column("held_until", Float),
)

# The typed state is one JSON text: it is read and written whole, and what is asked of it by SQL
# stands beside it. Columns from `archived` on are empty where nobody could read the state.
change = Table(
    "change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("service", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("phase", String, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_version", Integer, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("archived", Boolean, nullable=False, server_default=false()),
    Column("proposed_at", Float),
    Column("live_at", Float),
    Column("left_at", Float),
    Column("fixes", Integer),
    Column("again", Integer),
    Column("carried_by", Integer),
    Column("revision", String),
    Column("applied_upon", String),  # the base of what only altered the manifest
    Column("approved_as", String),  # the identity of a diff that somebody approved
    Column("authors", Text),  # without case
    Column("files", Text),  # each behind a line break
    UniqueConstraint("service", "number", name="one_change_for_a_number"),
    Index("change_numbers", "number"),
    Index("change_versions", "state_version"),
    Index("changes_of_a_phase", "phase", "proposed_at", "number", "service"),
    Index("changes_of_a_service", "service", "proposed_at", "number"),
    Index("changes_by_age", "proposed_at", "number"),
    Index("changes_at_hand", "service", "number", sqlite_where=text("archived = 0")),
    Index("changes_by_turn", "service", "live_at", "number"),
    *(
        Index(f"change_{name}", "service", name, "number", sqlite_where=text(f"{name} IS NOT NULL"))
        for name in ("fixes", "again", "carried_by", "applied_upon", "approved_as")
    ),
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("service", String),
    Column("change", Integer),
    Column("kind", String, nullable=False),
    Column("says", Text, nullable=False),
    Column("by", Text),
    Column("data", Text, nullable=False),
    Index("ledger_of_a_change", "service", "change", "seq"),
    Index("ledger_of_a_kind", "service", "kind", "seq"),
    sqlite_autoincrement=True,  # a number is never given twice
)

act = Table(
    "intended_act",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("service", String, nullable=False),
    Column("change", Integer, nullable=False),
    Column("act", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index("acts_of_a_change", "service", "change", "id"),
)

token = Table(
    "token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("hashed", String, nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
    Column("kind", String, nullable=False, server_default="key"),
    Column("expires_at", Float),
    sqlite_autoincrement=True,
)

meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Integer, nullable=False),
)
