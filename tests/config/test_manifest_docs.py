"""The page about `surefoot.toml` cannot forget a key, a default or a kind."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from surefoot.config.keys import KEYS, Key
from surefoot.config.manifest import parse_manifest
from surefoot.config.values import READERS
from surefoot.domain.manifest import Check, Manifest, Metric, ReleaseRules, Rollout

PAGE = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ")
]
SMALLEST = '[service]\nname = "shop"\nlisten = "127.0.0.1:8080"\n[release]\nrun = ["./shop"]\n'


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.place)
def test_every_key_has_its_row(key: Key) -> None:
    """Place, kind, default and meaning stand on the page as they stand in the table of keys."""
    assert [key.place, key.kind, key.default, key.meaning] in ROWS


def test_no_row_is_about_a_key_that_is_gone() -> None:
    """The page lists the keys in the order of the table, and no others."""
    listed = [row[0] for row in ROWS if re.fullmatch(r"[a-z]+(\.NAME)?\.[a-z_]+", row[0])]
    assert listed == [key.place for key in KEYS]


def test_every_kind_is_explained() -> None:
    """Each kind of value is read by one reader and explained in one row."""
    explained = PAGE.partition("## How values are written")[2].partition("\n## ")[0]
    first = (line.split(" | ")[0] for line in explained.splitlines() if line.startswith("| "))
    kinds = {kind for cell in first for kind in cell.strip("| ").split(", ")}
    assert kinds == set(READERS) == {key.kind for key in KEYS}


def test_the_whole_example_parses_and_has_every_table() -> None:
    """What people copy from the page is a manifest, with something of each table in it."""
    example = PAGE.partition("```toml\n")[2].partition("```")[0]
    manifest = parse_manifest(example, place="docs/manifest.md")
    assert manifest.name == "shop"
    for table in {key.place.partition(".")[0] for key in KEYS}:
        assert re.search(rf"^\[{table}[\].]", example, re.MULTILINE)


@pytest.mark.parametrize(
    "key",
    [key for key in KEYS if key.default.startswith(('"', "[", "{")) or key.default[0].isdigit()],
    ids=lambda key: key.place,
)
def test_the_default_is_what_leaving_it_out_means(key: Key) -> None:
    """A key written with the default of the page gives the manifest that has no such key."""
    parts = key.place.split(".")
    frame = {
        "checks": '[checks.NAME]\nrun = ["true"]\n',
        "metrics": 'metrics = "/m"\n[metrics.NAME]\nkind = "gauge"\ngauge = "g"\n',
    }.get(parts[0], "" if parts[0] in {"service", "release"} else f"[{parts[0]}]\n")
    line = f"{parts[-1]} = {key.default}\n"
    assert parse_manifest(SMALLEST + frame + line, place="x") == parse_manifest(
        SMALLEST + frame, place="x"
    )


def test_every_value_of_a_manifest_has_a_key() -> None:
    """No field of the values that the file is read into is out of a team's reach."""
    tables = {
        "release": ReleaseRules,
        "rollout": Rollout,
        "checks.NAME": Check,
        "metrics.NAME": Metric,
    }
    places = {key.place for key in KEYS}
    for table, values in tables.items():
        names = {field.name.removesuffix("_s") for field in fields(values)} - {"name"}
        assert {f"{table}.{name}" for name in names} == {
            place for place in places if place.startswith(f"{table}.")
        }
    assert len(fields(Manifest)) == 13
