"""Domain values to rows and back. No database here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from surefoot.domain.change import Change, Person
from surefoot.domain.lifecycle import Phase
from surefoot.domain.token import Token, TokenKind
from surefoot.ports import Entry, NewEntry, Saved, ServiceRecord

__all__ = [
    "STATE_VERSION",
    "Row",
    "change_from",
    "change_row",
    "entry_from",
    "entry_row",
    "kept_as_bytes",
    "kept_from",
    "service_from",
    "service_row",
    "token_from",
]

STATE_VERSION = 2
"""Raised with every alteration of `Change` that an older Surefoot would misread."""
BEFORE_PLACEBOS = 1  # what this one still writes of changes that an older Surefoot reads rightly

Row = Mapping[str, Any]


def change_row(change: Change, now: float) -> dict[str, Any]:
    """A change as its row, which is not in the archive.

    Raises:
        ValueError: a number in it is not finite; such a state could not be read again.
    """
    return {
        "service": change.service,
        "number": change.number,
        "phase": change.phase.value,
        "state": _json(change),
        "state_version": _version(change),
        "updated_at": now,
        "archived": False,
        "proposed_at": change.stamps.proposed_at,
        "live_at": change.stamps.live_at,
        "left_at": change.stamps.left_at,
        "fixes": change.intent.fixes,
        "again": change.intent.again,
        "carried_by": change.carried_by,
        "revision": change.revision,
        "applied_upon": change.base if change.phase is Phase.APPLIED else None,
        "approved_as": change.diff.identity if change.approvals else None,
        "authors": " ".join(map(str, change.authors)).casefold(),
        "files": "".join(f"\n{file}" for file in change.diff.files),
    }


def change_from(row: Row) -> Change | None:
    """The change of a row, or None when this version of Surefoot cannot read its state."""
    if row["state_version"] > STATE_VERSION:
        return None
    try:
        change = msgspec.convert(json.loads(row["state"]), Change)
    except (json.JSONDecodeError, msgspec.ValidationError):
        return None
    return change if change.phase == row["phase"] else None


def service_row(record: ServiceRecord) -> dict[str, Any]:
    """A service as its row."""
    return asdict(record)


def service_from(row: Row) -> ServiceRecord:
    """The service of a row."""
    return ServiceRecord(**row)


def entry_row(entry: NewEntry) -> dict[str, Any]:
    """Something that happened, as its row.

    Raises:
        TypeError: its data holds something that JSON has no form for.
        ValueError: a number in its data is not finite.
    """
    return {
        "at": entry.at,
        "service": entry.service,
        "change": entry.change,
        "kind": entry.kind,
        "says": entry.says,
        "by": entry.by,
        "data": _json(entry.data),
    }


def entry_from(row: Row) -> Entry:
    """Something that happened, from its row."""
    return Entry(**{**row, "data": json.loads(row["data"])})


def token_from(row: Row) -> Token:
    """A person's key from its row."""
    return Token(
        id=row["id"],
        person=Person(row["name"], row["email"]),
        hashed=row["hashed"],
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
        kind=TokenKind(row["kind"]),
        expires_at=row["expires_at"],
    )


def kept_as_bytes(kept: Sequence[Saved]) -> bytes:
    """Transactions that wait for the store, as the journal keeps them."""
    versions = [_version(change) for saved in kept for change in saved.changes]
    version = max(versions, default=BEFORE_PLACEBOS)
    return msgspec.json.encode({"version": version, "kept": kept})


def kept_from(data: bytes) -> tuple[Saved, ...]:
    """The transactions of a journal; none where this version cannot read it."""
    try:
        record = json.loads(data) if data else {}
        if record.get("version") not in {BEFORE_PLACEBOS, STATE_VERSION}:
            return ()
        return msgspec.convert(record["kept"], tuple[Saved, ...])
    except (json.JSONDecodeError, msgspec.ValidationError):
        return ()


def _version(change: Change) -> int:
    return STATE_VERSION if change.placebo else BEFORE_PLACEBOS


def _json(value: object) -> str:
    return json.dumps(msgspec.to_builtins(value), allow_nan=False)
