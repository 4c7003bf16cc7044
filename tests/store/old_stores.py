"""Stores as earlier versions of the schema left them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine

__all__ = ["of_version"]


@contextmanager
def of_version(path: Path, version: str) -> Iterator[Connection]:
    """A new store with the tables of that version, to be filled by hand."""
    path.parent.mkdir()
    config = Config()
    config.set_main_option("script_location", "surefoot.adapters.store:migrations")
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.upgrade(config, version)
        yield db
    engine.dispose()
