"""The first manifest of a service: what is found is right, what is not found is said."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.config.manifest import parse_manifest
from surefoot.config.scaffold import scaffold
from surefoot.domain.manifest import Check, Manifest

PYTEST = ("python3", "-m", "pytest", "-q")


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def made(folder: Path) -> tuple[str, Manifest]:
    text = scaffold(folder)
    return text, parse_manifest(text, place="surefoot.toml")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return tmp_path / "My Shop_2"


PROJECTS = {
    "procfile": (
        {"Procfile": "worker: x\nweb: gunicorn app:app -w 2\n", "requirements.txt": "pytest"},
        ("gunicorn", "app:app", "-w", "2"),
        (),
        None,
    ),
    "procfile with a port": (
        {"Procfile": "web: puma -p $PORT\n"},
        ("sh", "-c", "exec puma -p $PORT"),
        (),
        None,
    ),
    "procfile with two commands": (
        {"Procfile": "web: ./prepare && ./serve\n"},
        ("sh", "-c", "./prepare && ./serve"),
        (),
        None,
    ),
    "node": (
        {
            "package.json": json.dumps({"scripts": {"start": "node .", "test": "node --test"}}),
            "package-lock.json": "{}",
        },
        ("npm", "start"),
        ("npm", "ci"),
        ("npm", "test"),
    ),
    "node without scripts": (
        {"package.json": '{"main": "lib/web.js"}', "lib/web.js": ""},
        ("node", "lib/web.js"),
        (),
        None,
    ),
    "django": (
        {"manage.py": "", "site_/wsgi.py": "", "requirements.txt": "Django\ngunicorn\n"},
        ("gunicorn", "site_.wsgi"),
        (),
        ("python3", "manage.py", "test"),
    ),
    "python": (
        {"app.py": "", "tests/x.py": "", "pytest.ini": ""},
        ("python3", "app.py"),
        (),
        PYTEST,
    ),
    "fastapi": (
        {"main.py": "", "pyproject.toml": '[project]\ndependencies = ["fastapi", "pytest"]\n'},
        ("sh", "-c", "exec uvicorn main:app --port $PORT"),
        (),
        PYTEST,
    ),
    "go": (
        {"go.mod": "module x", "main.go": "package main"},
        ("./service",),
        ("go", "build", "-o", "service", "."),
        ("go", "test", "./..."),
    ),
    "rust": (
        {"Cargo.toml": '[package]\nname = "shop"\n'},
        ("./target/release/shop",),
        ("cargo", "build", "--release"),
        ("cargo", "test"),
    ),
    "ruby": (
        {"config.ru": "", "Gemfile": "gem 'puma'", "spec/a_spec.rb": ""},
        ("sh", "-c", "exec bundle exec puma -p $PORT"),
        ("bundle", "install"),
        ("bundle", "exec", "rspec"),
    ),
    "make": (
        {"Makefile": "CC := cc\nall: build\nbuild: x\n\tcc\ntest:\n\t./t\nrun: build\n\t./s\n"},
        ("make", "run"),
        ("make", "build"),
        ("make", "test"),
    ),
    "make beside python": (
        {"Makefile": "test:\n\ttox\nrun:\n\tx\n", "app.py": "", "pytest.ini": ""},
        ("python3", "app.py"),
        (),
        ("make", "test"),
    ),
}


@pytest.mark.parametrize("name", PROJECTS)
def test_what_stands_there_is_found(shop: Path, name: str) -> None:
    """Each kind of project gives the commands that its own files name."""
    files, run, build, check = PROJECTS[name]
    text, manifest = made(write(shop, files))
    assert manifest.release.run == run
    assert manifest.release.build == build
    assert manifest.checks == ((Check("test", check),) if check else ())
    assert manifest.name == "my-shop-2"
    if not check and "pytest" not in files.get("requirements.txt", ""):
        assert "Not found out: how this service is tested" in text


def test_what_the_sources_say_is_found(shop: Path) -> None:
    """Paths for health and metrics, the use of PORT and folders of migrations are seen."""
    source = (
        "port = os.environ['PORT']\nif path == '/healthz': ok()\nif path == '/metrics': more()\n"
    )
    text, manifest = made(write(shop, {"app.py": source, "db/migrate/1.sql": ""}))
    assert manifest.release.health == "/healthz"
    assert manifest.release.metrics == "/metrics"
    assert manifest.risk_data == ("db/migrate/**",)
    assert "Nothing here mentions PORT" not in text


def test_what_is_not_found_is_said(shop: Path) -> None:
    """An empty folder gives a manifest that parses and says all that is open."""
    text, manifest = made(write(shop, {}))
    assert manifest.release.health == "/"
    assert text.count("Not found out:") == 3
    assert "Nothing here mentions PORT" in scaffold(write(shop, {"app.py": "x = 1\n"}))


def test_each_line_is_explained(shop: Path) -> None:
    """A key that is set has its reason beside or above it, or a name that says it all."""
    lines = scaffold(write(shop, {"app.py": "", "pytest.ini": ""})).splitlines()
    for before, line in pairwise(lines):
        if "=" in line and not line.startswith(("#", "name", "[")):
            assert "#" in line or before.startswith("#"), line


@pytest.mark.parametrize(
    "files",
    [
        {"package.json": "[" * 10_000},
        {"package.json": '{"scripts": 1, "main": ["x"]}'},
        {"package.json": '{"main": "' + "x" * 5000 + '"}'},
        {"Cargo.toml": "package = 1\n"},
        {"Cargo.toml": "not toml"},
        {"Procfile": "web: a 'quote that does not end\n"},
        {"Procfile": 'web: \0\x7f\t"x\\\n'},
        {"app.py": "\0\ud7ff" * 10},
        {"Makefile": "build::\n"},
    ],
)
def test_odd_files_are_no_fault(shop: Path, files: dict[str, str]) -> None:
    """Whatever stands in a folder, the text parses."""
    made(write(shop, files))


def test_nothing_outside_is_followed(shop: Path) -> None:
    """A link that leads in a circle, or away, is not walked."""
    write(shop, {"app.py": ""})
    (shop / "again").symlink_to(shop)
    (shop / "away").symlink_to("/")
    made(shop)


@given(line=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_any_procfile_gives_a_manifest(tmp_path_factory: pytest.TempPathFactory, line: str) -> None:
    """However a team starts its service, the text that is written parses."""
    folder = tmp_path_factory.mktemp("any")
    made(write(folder, {"Procfile": f"web: {line}\n"}))
