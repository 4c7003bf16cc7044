"""The page about the pages cannot forget an address, a key, a sign or a picture."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from gallery import STATES, Gallery, service_of
from starlette.routing import Route

from surefoot.pages.mood import Mood, change_mood, change_word
from surefoot.pages.presence import Presence
from surefoot.pages.rendering import FILES
from surefoot.pages.routes import page_routes

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "pages.md").read_text(encoding="utf-8")
FOLDER = ROOT / "docs" / "pages"
WRITTEN = {"{number:int}": "N", "{name}": "NAME", "{file}": "FILE"}
LARGEST = 600_000  # bytes of all pictures: whoever clones this repository gets them


async def signed_in(_request: object) -> bool:
    """Anybody."""
    return True


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    below = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in below.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_address_is_named_and_none_that_is_gone() -> None:
    """What the table of routes holds stands there with its method, and nothing else does."""
    there = {("GET", "/sign-in"), ("POST", "/sign-out")}
    for route in page_routes(Gallery(), Presence(), signed_in):
        assert isinstance(route, Route)
        path = route.path
        for placeholder, word in WRITTEN.items():
            path = path.replace(placeholder, word)
        there |= {(method, path) for method in (route.methods or set()) - {"HEAD"}}
    told = set()
    for row in rows("Every address"):
        method = "GET"
        for said in re.findall(r"`([^`]+)`", row[0]):
            method, path = said.split(" ") if " " in said else (method, said)
            told.add((method, path))
    assert told == there


def test_every_key_is_named() -> None:
    """The keys that the script listens to are those of the table, and a button's own space."""
    script = FILES["surefoot.js"].decode()
    heard = set(re.findall(r'event\.key [!=]== "(.+?)"', script))
    assert heard - {" "} == {row[0].strip("`") for row in rows("Keys")}


def test_every_mood_is_named_with_its_words() -> None:
    """Each look has its row, and each state of a change its word in the row of its look."""
    words = {row[0]: row[3] for row in rows("The signs")}
    assert set(words) == set(Mood)
    for change in STATES.values():
        service = service_of(change)
        assert change_word(change, service) in words[change_mood(change, service)]


@pytest.fixture(scope="module")
def camera() -> ModuleType:
    """The script that takes the pictures."""
    file = ROOT / "scripts" / "picture_pages.py"
    spec = importlib.util.spec_from_file_location("picture_pages", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["picture_pages"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_every_picture_is_shown_and_taken_by_the_script(camera: ModuleType) -> None:
    """What is there, what is shown, and what the next run will take are the same."""
    there = {file.name for file in FOLDER.iterdir()}
    assert there == set(camera.PICTURES)
    assert set(re.findall(r"\]\(pages/(\S+)\)", PAGE)) == there


def test_the_pictures_are_small() -> None:
    """All together, for they are in every clone."""
    assert 0 < sum(file.stat().st_size for file in FOLDER.iterdir()) < LARGEST


def test_pictures_that_are_too_large_replace_nothing(camera: ModuleType, tmp_path: Path) -> None:
    """A run that would make the repository heavy leaves it as it is."""
    (tmp_path / "old.webp").write_bytes(b"old")
    with pytest.raises(ValueError, match="700,000 bytes; 600,000 are allowed"):
        camera.written({"new": b"x" * 700_000}, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["old.webp"]
    assert camera.written({"new": b"x"}, tmp_path) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["new.webp"]
