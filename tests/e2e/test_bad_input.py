"""Bad input of any kind: a clear error that names the thing, the place and the cure."""

import json
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def shop(world):
    """An adopted service that each test sends something bad."""
    made = world.service("strict")
    made.adopt()
    return made


@pytest.fixture
def clean(shop):
    """The same, back on its live revision afterwards."""
    head = shop.git("rev-parse", "HEAD")
    yield shop
    shop.git("reset", "--quiet", "--hard", head)
    shop.git("clean", "--quiet", "-fdx")


def test_a_malformed_manifest_names_file_line_and_cure(world, clean):
    """Refused before anything is written down, with exit code 30."""
    text = clean.manifest.replace('warm_up = "2s"', "warm_up = 2")
    (clean.folder / "surefoot.toml").write_text(text)
    clean.commit("a bad manifest")
    line = text.splitlines().index("warm_up = 2") + 1
    before = world.get("/v1/ledger?after=0&limit=1000")
    done = world.cli("ship", "--json", folder=clean.folder)
    assert done.returncode == 30, done.stdout + done.stderr
    assert f":{line}" in done.stdout
    assert "rollout.warm_up" in done.stdout
    assert "10s" in done.stdout
    assert world.get("/v1/ledger?after=0&limit=1000") == before


def test_several_commits_are_listed_and_can_be_taken_one_by_one(world, clean):
    """As one change with its authors named, or with --each as changes in their order."""
    subjects = ["one", "two; rm -rf", "three"]
    for n, subject in enumerate(subjects):
        clean.commit(subject, seconds=0.001 * n)
    done = world.cli("ship", "--detach", folder=clean.folder)
    assert done.returncode == 0, done.stderr
    assert "3 commits as one change:" in done.stdout
    assert "two; rm -rf (Ana)" in done.stdout
    assert "surefoot ship --each" in done.stdout
    number = world.get("/v1/changes")["changes"][0]["number"]
    assert f"surefoot undo {number} && " in done.stdout
    assert world.cli("undo", str(number), folder=clean.folder).returncode == 0
    refused = world.cli("ship", "--each", "--why", "all", folder=clean.folder)
    assert refused.returncode == 2
    assert "trailers" in refused.stderr
    done = world.cli("ship", "--each", "--detach", "--json", folder=clean.folder)
    assert done.returncode == 0, done.stderr
    changes = json.loads(done.stdout)["changes"]
    assert [one["why"] for one in changes] == subjects
    assert [one["base_number"] for one in changes] == [0, *(c["number"] for c in changes[:2])]
    for one in reversed(changes):
        world.post(f"/v1/changes/{one['number']}/undo", {"because": "seen"})


@pytest.mark.parametrize("revision", ["nowhere", "--upload-pack=touch /tmp/x", "$(id)", "a;b"])
def test_an_unknown_or_hostile_revision_is_refused(world, clean, revision):
    """Named in the answer, with what to do; it reaches no shell and no option parser."""
    done = world.cli("ship", "--json", "--", revision, folder=clean.folder)
    assert done.returncode in {2, 30}, done.stdout + done.stderr
    told = json.loads(done.stdout)["error"]
    assert told
    body = {"revision": revision}
    with pytest.raises(Exception, match=r"^(422|409)"):
        world.post(f"/v1/services/{clean.name}/changes", body)


def test_a_check_that_never_ends_is_ended_with_its_whole_group(clean):
    """At its time limit nothing of it is left, and the change is rejected with its output."""
    script = "import subprocess,time;subprocess.Popen(['sleep','7654']);time.sleep(999)"
    check = f'\n[checks.endless]\nrun = ["{sys.executable}", "-c", "{script}"]\ntime_limit = "2s"\n'
    clean.write_manifest(extra_check=check)
    clean.commit("a check without an end")
    number = clean.ship(approve=False)
    status = clean.until(number, "rejected", 60)
    assert "endless" in status["because"]
    assert "time limit" in status["because"]
    deadline = time.monotonic() + 10
    while "7654" in running() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "7654" not in running()


def running():
    """The command lines of all processes."""
    found = []
    for one in Path("/proc").iterdir():
        if one.name.isdigit():
            try:
                found.append((one / "cmdline").read_bytes().decode(errors="replace"))
            except OSError:
                continue
    return " ".join(found)


def test_output_that_is_no_text_is_told_all_the_same(clean):
    """Bytes that are not UTF-8 are replaced; the rest of the sentence stands."""
    script = r"import sys;sys.stdout.buffer.write(b'caf\\xe9 is closed');sys.exit(3)"
    check = f'\n[checks.bytes]\nrun = ["{sys.executable}", "-c", "{script}"]\n'
    clean.write_manifest(extra_check=check)
    clean.commit("a check with bytes")
    status = clean.until(clean.ship(approve=False), "rejected", 60)
    assert "is closed" in status["because"]
    assert "exit 3" in status["because"]


def test_submodules_are_said_to_be_unsupported(clean):
    """In a sentence, before any user meets half a checkout."""
    head = clean.git("rev-parse", "HEAD")
    clean.git("update-index", "--add", "--cacheinfo", f"160000,{head},vendored")
    clean.git("commit", "--quiet", "-m", "a submodule")
    status = clean.until(clean.ship(approve=False), "rejected", 60)
    assert "submodule" in status["because"].lower()


def test_a_revision_beside_the_live_one_prints_the_rebase(clean):
    """What does not stand on the live revision is refused with the line to type."""
    clean.git("checkout", "--quiet", "--orphan", "beside")
    clean.commit("another history")
    with pytest.raises(Exception, match="git rebase"):
        clean.ship()
    clean.git("checkout", "--quiet", "-f", "main")


def test_nobody_approves_their_own(world, clean):
    """Refused with whom to ask, and somebody else may."""
    clean.commit("mine", seconds=0.004)
    number = clean.ship(approve=False)
    done = world.cli(
        "review", str(number), "--approve", folder=clean.folder, person="Ana <ana@example.org>"
    )
    assert done.returncode == 30, done.stdout + done.stderr
    withdrawn = world.cli("undo", str(number), folder=clean.folder)
    assert withdrawn.returncode == 0
    assert clean.until(number, "withdrawn", 30)["exit_code"] == 40


def test_plan_changes_nothing(world, clean):
    """The ledger and the changes are the same before and after."""
    clean.commit("only planned", seconds=0.003)
    clean.register()
    before = world.get("/v1/ledger?after=0&limit=1000"), world.get("/v1/changes")
    done = world.cli("plan", folder=clean.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    after = world.get("/v1/ledger?after=0&limit=1000"), world.get("/v1/changes")
    assert before[0] == after[0]
    assert [one["number"] for one in before[1]["changes"]] == [
        one["number"] for one in after[1]["changes"]
    ]
