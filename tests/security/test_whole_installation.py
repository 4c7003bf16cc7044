"""A real installation under a careless start: what it tells, and what it leaves open to others."""

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from world import ANA, BO, Load, Refusal, Service, World, wait_for

from surefoot.api.routes import ROUTES

pytestmark = pytest.mark.timeout(400)

# Halves that no other text of an installation holds; wrapped, each half stands on a line alone.
HALVES = ("Zq7wLk2MvB9s", "Xt4dRp8HnJ6c")
SECRET = "".join(HALVES)
LEAKY = """
import os, runpy
print("my secret is", os.environ["SHOP_TOKEN"], flush=True)
print(os.environ["SHOP_TOKEN"][:12], flush=True)
print(os.environ["SHOP_TOKEN"][12:], flush=True)
runpy.run_path("server.py", run_name="__main__")
"""
RELEASE_OUTPUT = "running/*/*/*.log*"  # what a release itself wrote: for its owner, as it wrote it


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An installation whose first daemon was started with no mask at all, in a home left open."""
    made = World()
    made.home.chmod(0o755)
    before = os.umask(0)
    try:
        made.up()
        os.umask(before)
        yield made
    finally:
        os.umask(before)
        made.end()


@pytest.fixture(scope="module")
def shop(world: World) -> Iterator[Service]:
    """A service that prints its secrets, with a started, a rejected and a restored change."""
    service = world.service("leaky")
    env_file = world.repos / "leaky.env"
    env_file.write_text(f"SHOP_TOKEN={SECRET}\n")
    env_file.chmod(0o600)
    text = service.manifest.replace('"server.py"]', f'"leaky.py"]\nenv_file = "{env_file}"')
    (service.folder / "surefoot.toml").write_text(text)
    service.manifest = text
    (service.folder / "leaky.py").write_text(LEAKY)
    service.commit("it prints its secrets")
    service.adopt()
    load = Load(service.port)
    try:
        service.history(20)
        service.commit("it does not start", exit_at_start=True)
        service.until(service.ship(), "rejected", 60)
        service.git("reset", "--quiet", "--hard", "HEAD~1")
        service.commit("it answers badly", errors=0.7)
        service.until(service.ship(), "restored", 120)
        yield service
    finally:
        load.end()


def told_by(world: World, path: str) -> str:
    """All that a route answers; of a stream, what it says in a second."""
    address = json.loads((world.home / "daemon.json").read_text())["address"]
    host, _, port = address.rpartition(":")
    key = world.tokens["owner"]
    asked = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n"
    heard = b""
    with socket.create_connection((host, int(port)), timeout=1) as line:
        line.sendall(f"{asked}Connection: close\r\n\r\n".encode())
        with contextlib.suppress(TimeoutError):
            while piece := line.recv(1 << 16):
                heard += piece
    return heard.decode()


def test_no_answer_holds_a_secret_of_an_env_file(world: World, shop: Service) -> None:
    """Started, rejected or restored: no route tells any half of what the release printed."""
    numbers = [one["number"] for one in world.get("/v1/changes")["changes"]]
    assert len(numbers) == 3
    for route in ROUTES:
        if route.method != "GET":
            continue
        for number in numbers:
            path = route.path.replace("{name}", shop.name).replace("{number:int}", str(number))
            told = told_by(
                world, f"{path}?service={shop.name}" if "{number" in route.path else path
            )
            assert [half for half in HALVES if half in told] == [], path
    rejected = next(one for one in world.get("/v1/changes")["changes"] if one["number"] == 1)
    assert "my secret is ***" in str(rejected["parts"]), "its output was there to be told"


def test_no_command_prints_a_secret_of_an_env_file(world: World, shop: Service) -> None:
    """`why`, `log`, `status` and `doctor` tell what happened without them."""
    for command in (["why", "1"], ["why", "2"], ["log"], ["status"], ["doctor"], ["review", "2"]):
        done = world.cli(*command, folder=shop.folder)
        assert [half for half in HALVES if half in done.stdout + done.stderr] == [], command


def test_no_file_but_a_releases_own_output_holds_a_secret(world: World, shop: Service) -> None:
    """Store, journal, evidence, logs, descriptions: none keeps what only the release may know."""
    del shop
    own = set(world.home.glob(RELEASE_OUTPUT))
    assert own
    for file in world.home.rglob("*"):
        if file.is_file() and file not in own:
            with contextlib.suppress(FileNotFoundError):
                held = file.read_bytes()
                assert [half for half in HALVES if half.encode() in held] == [], file


def test_no_file_holds_a_token_but_the_owners(world: World, shop: Service) -> None:
    """Members' keys are nowhere, and the owner's stands in its one file alone."""
    del shop
    for file in world.home.rglob("*"):
        if file.is_file():
            with contextlib.suppress(FileNotFoundError):
                held = file.read_bytes()
                found = [who for who, key in world.tokens.items() if key.encode() in held]
                assert found == (["owner"] if file == world.home / "token" else []), file


def test_no_process_shows_a_key_or_a_secret(world: World, shop: Service) -> None:
    """What `ps` shows to anybody on the host names neither a token nor a secret."""
    del shop
    shown = b""
    for one in Path("/proc").iterdir():
        if one.name.isdigit():
            with contextlib.suppress(OSError):
                shown += (one / "cmdline").read_bytes()
    for key in (*world.tokens.values(), *HALVES):
        assert key.encode() not in shown


def test_nothing_of_the_home_is_open_to_other_users(world: World, shop: Service) -> None:
    """The home and each folder right below it are closed, and so are all sockets and our files."""
    del shop
    assert stat.S_IMODE(world.home.stat().st_mode) == 0o700
    open_ones = []
    for file in (*world.home.iterdir(), *world.home.glob("services/*"), *sockets(world.home)):
        if file.name != "daemon.log":  # opened by this test's own world, as a shell would
            open_ones += [file] if file.lstat().st_mode & 0o077 else []
    for pattern in ("*.json", "ledger*", "token", "keeper/*", "services/*/evidence/*"):
        open_ones += [file for file in world.home.glob(pattern) if file.stat().st_mode & 0o077]
    assert [str(file.relative_to(world.home)) for file in open_ones] == []


def sockets(home: Path) -> list[Path]:
    found = [file for file in home.rglob("*") if file.is_socket()]
    names = {file.name for file in found}
    assert {"keeper.sock", "admin.sock", "supervisord.sock"} <= names
    return found


def test_it_listens_on_loopback_alone(world: World, shop: Service) -> None:
    """Told nothing else, the daemon and all that it starts are not to be reached from outside."""
    del shop
    address = json.loads((world.home / "daemon.json").read_text())["address"]
    assert address.startswith("127.0.0.1:")
    assert b"--listen" not in Path(f"/proc/{world.daemon.pid}/cmdline").read_bytes()
    outside = socket.gethostbyname(socket.gethostname())
    if not outside.startswith("127."):
        with pytest.raises(OSError, match=r"refused|timed out"):
            socket.create_connection((outside, int(address.rpartition(":")[2])), timeout=2)


def test_a_key_of_another_installation_opens_nothing(world: World) -> None:
    """Two daemons on one host do not know each other's people."""
    other = World()
    try:
        other.up()
        world.tokens["stranger"] = other.tokens["owner"]
        with pytest.raises(Refusal) as refused:
            world.get("/v1/whoami", "stranger")
        assert refused.value.status == 401
    finally:
        world.tokens.pop("stranger", None)
        other.end()


def test_a_rollout_goes_on_while_200_connections_dribble(world: World, shop: Service) -> None:
    """Strangers that hold the door open keep neither a verdict nor an undo from its time."""
    address = json.loads((world.home / "daemon.json").read_text())["address"]
    host, _, port = address.rpartition(":")
    lines = []
    for _ in range(200):
        lines.append(socket.create_connection((host, int(port)), timeout=20))
        lines[-1].sendall(b"POST /v1/down HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    try:
        world.post(f"/v1/services/{shop.name}/resume", {"because": "go on"}, BO)
        shop.git(
            "reset", "--quiet", "--hard", world.get(f"/v1/services/{shop.name}")["live_revision"]
        )
        shop.commit("a good one", seconds=0.004)
        number = shop.ship(person=ANA)
        shop.until(number, {"rolling_out", "verifying"}, 120)
        began = time.monotonic()
        world.post(f"/v1/changes/{number}/undo", {"because": "seen"}, BO)
        wait_for(lambda: shop.change(number)["share"] == 0, "given back", 10, every_s=0.05)
        assert time.monotonic() - began < 5
        assert shop.until(number, "restored", 120)["times"]["undo_s"] < 2
    finally:
        for line in lines:
            line.close()


def test_what_is_typed_reaches_no_shell(world: World, shop: Service) -> None:
    """Services, reasons, revisions and paths with a shell's own words start nothing."""
    bait = world.repos / "owned"
    words = [f"$(touch {bait})", f"`touch {bait}`", f"; touch {bait}", f"| touch {bait} #"]
    for word in words:
        for typed in (
            ["hold", shop.name, "--because", word],
            ["resume", shop.name, "--because", word],
            ["hold", word, "--because", "x"],
            ["ship", "--", word],
            ["plan", "--", word],
            ["status", word],
            ["log", "--author", word, "--path", word],
            ["give-back", word],
            ["token", "new", f"{word} <a@example.org>"],
        ):
            assert world.cli(*typed, folder=shop.folder).returncode in {0, 2, 30, 50}, typed
    done = subprocess.run(
        [sys.executable, "-m", "surefoot", "init", "--from", f"ext::sh -c touch% {bait}"],
        cwd=shop.folder,
        env=world.environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
    assert not bait.exists()
