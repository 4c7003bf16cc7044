"""The room that knows SQL: the present state, and the ledger of what happened."""

from surefoot.adapters.store.sqlite import SqliteStore

__all__ = ["SqliteStore"]
