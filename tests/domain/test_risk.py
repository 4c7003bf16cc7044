"""Which files of a change alter data."""

import pytest

from surefoot.domain.risk import data_paths, no_longer_named


@pytest.mark.parametrize(
    ("pattern", "file"),
    [
        ("migrations/**", "migrations/7.sql"),
        ("migrations/**", "migrations/old/7.sql"),
        ("migrations/*", "migrations/7.sql"),
        ("migrations", "migrations/7.sql"),
        ("/migrations/", "migrations/7.sql"),
        ("./migrations/**", "services/till/migrations/7.sql"),
        ("./**/migrations/*.sql", "migrations/7.sql"),
        ("**/migrations/*.sql", "migrations/7.sql"),
        ("**/migrations/*.sql", "shop/db/migrations/7.sql"),
        ("db/**/*.sql", "db/7.sql"),
        ("schema.sql", "schema.sql"),
        ("migrations/**", "services/till/migrations/7.sql"),
        ("services/till/migrations/**", "services/till/migrations/7.sql"),
    ],
)
def test_a_pattern_names_files_as_people_write_it(pattern: str, file: str):
    """From the root or from the manifest's folder, a folder with all that is below it."""
    assert data_paths((file,), (pattern,), "services/till") == (file,)


@pytest.mark.parametrize(
    ("pattern", "file"),
    [
        ("migrations/**", "app.py"),
        ("migrations/**", "migrations_test.py"),
        ("migrations/**", "docs/migrations/7.md"),
        ("migrations/*.sql", "migrations/readme.md"),
        ("Migrations/**", "migrations/7.sql"),
        ("migrations/**", "services/tiller/migrations/7.sql"),
    ],
)
def test_a_pattern_names_nothing_else(pattern: str, file: str):
    """What only looks alike is no data."""
    assert data_paths((file,), (pattern,), "services/till") == ()


def test_a_narrower_pattern_no_longer_names_all():
    """Whatever is not there word for word is looked at by somebody."""
    assert no_longer_named(("a/**", "b/**"), ("b/**", "a/*.sql")) == ("a/**",)
    assert no_longer_named(("a/**",), ("a/**", "b/**")) == ()
