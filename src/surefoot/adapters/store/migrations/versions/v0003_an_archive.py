"""Settled changes may be laid aside, and what is asked of them is found without reading them."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

AT_ONCE = 1000
STATE_VERSION = 1  # what was written before this step; nothing else is read here
SPARSE = ("fixes", "again", "carried_by", "applied_upon", "approved_as")
COLUMNS: dict[str, type[Any]] = {
    "proposed_at": sa.Float,
    "live_at": sa.Float,
    "left_at": sa.Float,
    "fixes": sa.Integer,
    "again": sa.Integer,
    "carried_by": sa.Integer,
    "revision": sa.String,
    "applied_upon": sa.String,
    "approved_as": sa.String,
    "authors": sa.Text,
    "files": sa.Text,
}


def upgrade() -> None:
    """Add the columns and fill them; no change is laid aside before the engine has looked at it."""
    archived = sa.Column("archived", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("change", archived)
    for name, kind in COLUMNS.items():
        op.add_column("change", sa.Column(name, kind))
    _fill()
    op.create_index("change_numbers", "change", ["number"])
    op.create_index("change_versions", "change", ["state_version"])
    op.create_index("changes_of_a_phase", "change", ["phase", "proposed_at", "number", "service"])
    op.create_index("changes_of_a_service", "change", ["service", "proposed_at", "number"])
    op.create_index("changes_by_age", "change", ["proposed_at", "number"])
    op.create_index(
        "changes_at_hand", "change", ["service", "number"], sqlite_where=sa.text("archived = 0")
    )
    op.create_index("changes_by_turn", "change", ["service", "live_at", "number"])
    for name in SPARSE:
        present = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"change_{name}", "change", ["service", name, "number"], sqlite_where=present
        )


def _fill() -> None:
    """A thousand at once: a large store is brought up to date in little memory."""
    db, last = op.get_bind(), 0
    table = sa.table("change", sa.column("id"), *(sa.column(name) for name in COLUMNS))
    fill = table.update().where(table.c.id == sa.bindparam("of_id"))
    some = sa.text(
        "SELECT id, state, state_version FROM change WHERE id > :last ORDER BY id LIMIT :at_once"
    )
    while rows := db.execute(some, {"last": last, "at_once": AT_ONCE}).all():
        last = rows[-1].id
        found = [
            {"of_id": row.id} | _asked_of(row.state)
            for row in rows
            if row.state_version == STATE_VERSION
        ]
        if found:
            db.execute(fill.values({name: sa.bindparam(name) for name in COLUMNS}), found)


def _asked_of(text: str) -> dict[str, Any]:
    try:
        return _columns(json.loads(text))
    except (ValueError, KeyError, TypeError):  # it is left alone, as ever
        return dict.fromkeys(COLUMNS)


def _columns(state: Mapping[str, Any]) -> dict[str, Any]:
    stamps, intent, diff = state["stamps"], state["intent"], state["diff"]
    authors: dict[str, str] = {}
    for who in (who for commit in state["commits"] for who in commit["authors"]):
        authors.setdefault(who["email"].casefold(), f"{who['name']} <{who['email']}>")
    return {
        "proposed_at": stamps["proposed_at"],
        "live_at": stamps.get("live_at"),
        "left_at": stamps.get("given_back_at") or stamps.get("undo_at"),
        "fixes": intent.get("fixes"),
        "again": intent.get("again"),
        "carried_by": state.get("carried_by"),
        "revision": state["revision"],
        "applied_upon": state["base"] if state.get("phase") == "applied" else None,
        "approved_as": diff["identity"] if state.get("approvals") else None,
        "authors": " ".join(authors.values()).casefold(),
        "files": "".join(f"\n{file}" for file in diff["files"]),
    }
