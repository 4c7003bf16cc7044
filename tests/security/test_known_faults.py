"""Faults that others in this field had to publish, each as a test that ours does not have it.

They are those of the project's list of known faults. Not applicable in this version, because there
is nothing of the kind: Argo CD CVE-2023-22482, CVE-2022-31105 (no OpenID Connect), Argo Workflows
CVE-2026-42294 (no incoming hooks), Apprise XBOW-025-016 (notifications carry no attachments), Argo
CD CVE-2022-31035 and its kin (no pages yet). Held elsewhere: CVE-2025-55190 in `test_secrets` and
`test_whole_installation`; GHSA-92mw-q256-5vwg in `tests/api/test_api_edge`; GO-2024-3006 in
`tests/api/test_api_stream`; CVE-2026-28229 in `test_doors`.
"""

import ast
import asyncio
import base64
import contextlib
import json
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from engine_world import ANA, BO, World, manifest
from hostile import WORDS, steering
from recorded import Recorded, Served, served

import surefoot
from surefoot.adapters.commands import CommandChecks
from surefoot.adapters.git import GitScm
from surefoot.adapters.telemetry.pages import Pages
from surefoot.analysis.expect import Expectation
from surefoot.api.routes import ROUTES
from surefoot.config.manifest import parse_manifest
from surefoot.domain.change import Person
from surefoot.domain.errors import BadManifest, Refused, SurefootError
from surefoot.domain.manifest import Address
from surefoot.engine.keys import hashed
from surefoot.ports import CommandSpec, Saved
from surefoot.testing import VirtualLoop

SOURCE = Path(surefoot.__file__).parent
SHOP = "shop"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def calls() -> Iterator[tuple[str, str, list[str]]]:
    """Each call in the product: where, what is called, its keywords."""
    for module in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                words = [word.arg or "" for word in node.keywords]
                yield f"{module.name}:{node.lineno}", ast.unparse(node.func), words


def test_spinnaker_cve_2026_32604_a_field_reached_a_shell() -> None:
    """No call of the product can start a shell, by its name or by an argument."""
    shells = {"os.system", "os.popen", "subprocess.getoutput", "asyncio.create_subprocess_shell"}
    found = [(at, name) for at, name, words in calls() if name in shells or "shell" in words]
    assert found == []


def hostile_repository(source: Path, word: str, name: str) -> None:
    """One commit whose texts are all this word, with a file of this name, and a link outside."""
    source.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=source, check=True)
    (source / name).write_text("x")
    (source / "surefoot.toml").symlink_to("/etc/passwd")
    who = ["-c", f"user.name={word}", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "add", "--all"], cwd=source, check=True)
    message = f"{word}\n\nWatch: {word}\nCo-Authored-By: {word} <b@example.org>\n"
    subprocess.run(["git", *who, "commit", "--quiet", "-m", message], cwd=source, check=True)


async def test_spinnaker_cve_2026_32604_hostile_commits_stay_text(tmp_path: Path) -> None:
    """Subjects, authors, trailers and file names with a shell's own words are read as words."""
    source = tmp_path / "source"
    bait = tmp_path / "owned"
    name = "--output=owned $(id) \x1b]0;x"
    hostile_repository(source, f"$(touch {bait});`touch {bait}`|touch {bait}\x1b[2J", name)
    scm = GitScm(tmp_path / "home")
    await scm.init(SHOP, str(source))
    await scm.fetch(SHOP)
    study = await scm.study(SHOP, None, "main")
    (commit,) = study.commits
    assert steering(commit.subject) == []
    assert steering("".join(str(one) for one in commit.authors)) == []
    assert f"touch {bait}" in commit.subject
    assert name in study.diff.files
    assert await scm.read(SHOP, "main", "surefoot.toml") is None, "a link leads nowhere"
    assert not bait.exists()
    assert not (source / "owned").exists()


@pytest.mark.parametrize("word", [word for word in WORDS if "\0" not in word])
async def test_spinnaker_cve_2026_32604_an_argument_is_an_argument(
    tmp_path: Path, word: str
) -> None:
    """What a manifest names for a check arrives as that one argument, whatever it looks like."""
    program = "import sys, json; print(json.dumps(sys.argv[1:]))"
    argv = (sys.executable, "-c", program, word)
    finished = await CommandChecks().run(CommandSpec(argv, tmp_path, 30.0))
    assert json.loads(finished.said) == [word]


def test_spinnaker_cve_2026_32613_no_expression_is_evaluated() -> None:
    """Nothing that somebody writes is run as Python: no eval, exec, pickle, yaml or template.

    The pages' own templates are files of the package; none is made of a text.
    """
    evaluators = {"eval", "exec", "compile", "__import__"}
    assert [(at, name) for at, name, _ in calls() if name in evaluators] == []
    from_texts = {"from_string", "Template"}
    assert [at for at, name, _ in calls() if name.rpartition(".")[2] in from_texts] == []
    for module in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            unsafe = {"pickle", "marshal", "shelve", "yaml"}
            if module != SOURCE / "pages" / "rendering.py":
                unsafe.add("jinja2")
            assert not unsafe & {name.partition(".")[0] for name in names}, module


@pytest.mark.parametrize("word", WORDS)
def test_spinnaker_cve_2026_32613_an_expectation_is_no_language(word: str) -> None:
    """A trailer is one of four sentences, or refused; attributes and calls are neither."""
    for text in (word, f"{word} above 3", f"errors{word} falls by 1%", f"errors above {word}"):
        with contextlib.suppress(SurefootError):
            parsed = Expectation.parse(text)
            assert NAME.fullmatch(parsed.metric)
            assert Expectation.parse(str(parsed)) == parsed


@pytest.fixture
def redirecting() -> Iterator[tuple[int, list[str]]]:
    """A release whose every page points somewhere else, and what was asked of it."""
    asked: list[str] = []

    class Redirects(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/inside")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_said: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Redirects)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, asked
    server.shutdown()
    thread.join()
    server.server_close()


async def test_spinnaker_cve_2026_25534_a_redirect_is_not_followed(
    redirecting: tuple[int, list[str]],
) -> None:
    """A release cannot send the daemon elsewhere by the answer of its metrics page."""
    port, asked = redirecting
    pages = Pages()
    assert await pages.fetch([Address("127.0.0.1", port)], "/metrics") == {}
    await pages.close()
    assert asked == ["/metrics"]


def test_spinnaker_cve_2021_43832_nobody_may_do_anything_at_first() -> None:
    """Before anybody has a key, no route answers at all."""
    control = Recorded()
    control.keys.clear()
    with served(control) as api:
        for route in ROUTES:
            path = route.path.replace("{name}", SHOP).replace("{number:int}", "1")
            for token in (None, "", "null", "undefined", "secret-of-ann"):
                assert api.send(route.method, path, {}, token=token)[0] == 401
    assert control.orders == []


def test_argo_cd_cve_2022_29165_forged_claims_are_no_key() -> None:
    """A token that says who it is, unsigned or signed by whoever, is an unknown secret."""
    claims = json.dumps({"sub": "Ann Example", "email": "ann@example.org"}).encode()
    body = base64.urlsafe_b64encode(claims).decode().rstrip("=")
    with served(Recorded()) as api:
        for head in ('{"alg":"none"}', '{"alg":"HS256"}'):
            start = base64.urlsafe_b64encode(head.encode()).decode().rstrip("=")
            for end in ("", "c2lnbmVk"):
                assert api.send("GET", "/v1/whoami", token=f"{start}.{body}.{end}")[0] == 401


def spoil(home: Path) -> None:
    """No file of evidence can be read any more."""
    files = list(home.rglob("*/evidence/*"))
    assert files
    for file in files:
        file.write_bytes(b"\xff\x00 no evidence\n")


async def poisoned(home: Path) -> list[str]:
    """The services that are driven after a start among records that nobody can read."""
    world = World(home)
    await world.up()
    await world.open()
    (known,) = await world.store.services()
    bad = [replace(known, name=f"bad-{n}", manifest=text) for n, text in enumerate(POISON)]
    await world.store.save(Saved(services=tuple(bad)))
    number = await world.ship("half way")
    await world.live(30)
    await world.end()
    spoil(home)
    await world.up()
    await world.until_settled(number)
    assert world.daemon
    driven = sorted(world.daemon.driver.runs)
    await world.end()
    return driven


POISON = ("", "\0", "[[[[", "[service]\nname = 7", "a = " + "[" * 60_000, "x" * 100_000)


def test_argo_workflows_cve_2026_40886_a_bad_record_stops_nobody_else(tmp_path: Path) -> None:
    """Records and evidence that cannot be read are left alone; the daemon starts and goes on."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(poisoned(tmp_path / "home")) == [SHOP]


async def test_argo_cd_go_2025_3433_an_error_holds_no_password(tmp_path: Path) -> None:
    """What is wrong with an address is told without the key that stands in it."""
    for address in ("https://a:pa55w@rd@example.org/x y", "https://pa55w@b.org/ z"):
        with pytest.raises(Refused) as refused:
            await GitScm(tmp_path).init(SHOP, address)
        assert "pa55w" not in str(refused.value)


async def keys(home: Path) -> tuple[list[str], object, object]:
    """Secrets that were given, what the store keeps of them, and who the first opens for."""
    world = World(home)
    await world.up()
    given = [await world.desk.new_token(BO, ANA) for _ in range(64)]
    before = await world.desk.who(given[0][1])
    await world.desk.revoke_token(given[0][0].id, ANA)
    after = await world.desk.who(given[0][1])
    stored = {token.hashed for token in await world.store.tokens()}
    assert stored == {hashed(secret) for _, secret in given}
    assert await world.desk.who(given[1][0].hashed) is None, "what is stored opens nothing"
    await world.end()
    return [secret for _, secret in given], before, after


def test_argo_cd_cve_2020_8827_no_key_can_be_guessed(tmp_path: Path) -> None:
    """A key has 256 random bits, which is what bounds guessing; it is closed at once."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        secrets, before, after = runner.run(keys(tmp_path / "home"))
    assert len(set(secrets)) == len(secrets)
    drawn = [base64.urlsafe_b64decode(secret.removeprefix("sf_") + "=") for secret in secrets]
    assert {len(one) for one in drawn} == {32}
    ones = sum(int.from_bytes(one, "big").bit_count() for one in drawn) / (64 * 256)
    assert 0.45 < ones < 0.55
    assert before == BO
    assert after is None


@pytest.mark.parametrize(
    "folder", ["/etc", "..", "../other", "a/../../b", "a\nb", "services/..", "\x1b[2J"]
)
def test_argo_cd_cve_2022_24348_no_folder_leads_out(folder: str) -> None:
    """A release runs inside its own checkout: a service's folder is one of the repository."""
    with pytest.raises(BadManifest, match="inside the repository"):
        parse_manifest(manifest(SHOP, 8080), place="surefoot.toml", folder=folder)


@pytest.mark.parametrize("name", ["..", "../x", "/x", "a/b", "-x", "x\n", "X", ".", "", "x" * 60])
async def test_argo_cd_cve_2022_24348_no_name_leads_out(tmp_path: Path, name: str) -> None:
    """The name of a service, which names folders, is a plain word in the manifest and for git."""
    with pytest.raises(Refused):
        await GitScm(tmp_path).init(name, str(tmp_path))
    text = manifest(SHOP, 8080).replace(f'"{SHOP}"', json.dumps(name))
    with pytest.raises(BadManifest):
        parse_manifest(text, place="surefoot.toml")


def test_dispatch_cve_2023_40171_a_fault_of_ours_shows_no_secret() -> None:
    """The answer to something unforeseen holds neither the key that asked nor the trace."""
    with served(Recorded()) as api:
        api.send("POST", "/v1/services", {"source": "x", "manifest": 'name = "shop"'})
        body = {"revision": "a" * 40, "why": "is unforeseen"}
        status, problem, response = api.send("POST", "/v1/services/shop/changes", body)
    assert status == 500
    for hidden in ("secret-of-ann", "Traceback", ".py", "ZeroDivision"):
        assert hidden not in str(problem) + str(response.headers)


@pytest.fixture
def api() -> Iterator[Served]:
    with served(Recorded()) as address:
        yield address


def test_flipt_6402_an_order_is_nobodys_but_the_keys(api: Served) -> None:
    """Whatever a body or a header claims, an order is that of the person whose key asks."""
    api.send("POST", "/v1/services", {"source": "x", "manifest": 'name = "shop"'})
    api.send("POST", "/v1/services/shop/changes", {"revision": "a" * 40})
    body = {"because": "x", "by": "Bo Example <bo@example.org>"}
    assert api.send("POST", "/v1/services/shop/hold", body)[0] == 422
    headers = {"X-Forwarded-User": "bo", "X-Remote-User": "bo@example.org"}
    status, answer, _ = api.send("POST", "/v1/changes/1/approve", {}, headers=headers)
    assert (status, "Nobody approves their own" in answer["detail"]) == (403, True)


async def test_files_of_a_build_have_the_modes_that_they_have_elsewhere(tmp_path: Path) -> None:
    """The daemon's own strict mask is not a build's; the log of a check is closed all the same."""
    log = tmp_path / "check.log"
    before = os.umask(0o077)
    try:
        argv = (sys.executable, "-c", "open('made', 'w')")
        await CommandChecks().run(CommandSpec(argv, tmp_path, 30.0, output=log))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o644
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_two_people_are_told_apart_by_their_address() -> None:
    """A name alone makes nobody the same person, and neither does the case of an address."""
    assert not Person("Bo", "bo@example.org").same_as(Person("Bo", "b0@example.org"))
    assert Person("Bo", "Bo@Example.org").same_as(Person("", "bo@example.org"))
