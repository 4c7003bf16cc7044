"""`ship`, `plan`, `adopt`, `watch`: what is sent, what is said, and each exit code."""

import json
import subprocess
from pathlib import Path

import pytest
from console import Console, console, lonely, repository

__all__ = ["console", "lonely"]  # pytest takes fixtures by name from here


@pytest.mark.parametrize(
    ("subject", "code", "said"),
    [
        ("ends verified", 0, "verified"),
        ("ends restored", 10, "restored"),
        ("ends not restored", 20, "not restored"),
        ("ends rejected", 30, "rejected"),
        ("is refused", 30, "Change 7 holds the lane."),
        ("is refused by git", 30, "No such commit."),
        ("is of somebody else", 30, "not of this team"),
        ("ends inconclusive", 40, "verifying"),
        ("meets a full disk", 50, "git fetch did not end"),
        ("is unforeseen", 50, "Nothing more is known"),
    ],
)
def test_ship_exits_by_how_the_change_ends(
    console: Console, subject: str, code: int, said: str
) -> None:
    """Each end of a change has its own exit code, in words and as JSON."""
    console.commit(subject)
    plain = console("ship")
    assert plain.code == code, plain
    assert said in plain.out + plain.err
    told = console("ship", "--json")
    assert told.code == code
    assert said in json.dumps(told.object)


def test_ship_follows_line_by_line_when_nobody_sees_a_terminal(console: Console) -> None:
    """Phases in order, one line each, without a character that steers a terminal."""
    console.commit("ends restored")
    said = console("ship")
    order = ["getting ready", "queued", "rolling out", "verifying", "restoring", "is restored"]
    places = [said.out.index(phase) for phase in order]
    assert places == sorted(places)
    assert "\x1b" not in said.out
    assert "Next: git revert abc1234 && surefoot ship" in said.out
    assert "Harmed: 2 of 210 requests" in said.out


def test_json_is_one_object_and_nothing_else(console: Console) -> None:
    """A program reads the change as the API gives it."""
    console.commit("ends verified")
    change = console("ship", "--json").object
    assert (change["number"], change["phase"], change["exit_code"]) == (1, "verified", 0)


def test_what_is_shipped_is_the_commit_and_its_intent(console: Console) -> None:
    """A full hash, the subject as the reason, and every option reach the control plane."""
    first = console.commit("ends verified")
    console.commit("a later one")
    said = console(
        "ship", first[:8], "--watch", "a", "--watch", "b", "--expect", "a used", "--json"
    )
    change = said.object
    assert change["revision"] == first
    assert change["why"] == "ends verified"
    assert (change["watch"], change["expect"]) == (["a", "b"], ["a used"])
    change = console("ship", "--why", "ends restored", "--fixes", "1", "--json").object
    assert (change["why"], change["fixes"]) == ("ends restored", 1)


def test_a_service_in_a_folder_of_its_repository(console: Console) -> None:
    """The nearest manifest upward counts; source, folder and text are told."""
    inner = console.folder / "services" / "till"
    (inner / "deep").mkdir(parents=True)
    (inner / "surefoot.toml").write_text('[service]\nname = "till"\n')
    console.commit("ends verified")
    deep = Console(console.home, inner / "deep")
    assert deep("ship", "--json").object["service"] == "till"
    told = deep("why", "1", "--json").object["ledger"]
    assert told[-1]["service"] == "till"
    known = [service["name"] for service in console("status", "--json").object["services"]]
    assert known == ["till"]


def test_once_more_is_the_same_revision_from_anywhere(console: Console) -> None:
    """The commit of the change that was restored is sent, with the reason; nothing else may be."""
    console.commit("ends restored")
    first = console("ship", "--json").object
    console.commit("a later one")
    again = console("ship", "--again", "1", "--because", "it was the network", "--json").object
    assert again["number"] != 1
    assert again["revision"] == first["revision"]
    assert again["why"] == "it was the network"
    said = console("ship", "--again", "1", "--watch", "errors")
    assert said.code == 2
    assert "tried for what it was for" in said.err


def test_detach_does_not_wait(console: Console) -> None:
    """The number and the line that follows it are all there is to say."""
    console.commit("stays out")
    said = console("ship", "--detach")
    assert said.code == 0
    assert "Next: surefoot watch 1" in said.out


def test_leaving_stops_nothing(console: Console) -> None:
    """Ctrl-C says that it goes on, how to stop it and how to look, and exits 130."""
    console.commit("stays out")
    said = console.leave("ship", at="is rolling out")
    assert said.code == 130
    line = "Still shipping. `surefoot undo 1` to stop, `surefoot watch 1` to look."
    assert line in said.err
    assert console("status", "--json").code == 0
    assert console("watch", "1", "--json", "--service", "none").code == 30


def test_watch_exits_as_ship_would(console: Console) -> None:
    """Anybody may follow; the end of the change is the end of the command."""
    console.commit("ends restored")
    console("ship", "--detach")
    said = console("watch", "1")
    assert said.code == 10
    assert '"ends restored"' in said.out
    assert console("watch", "99").code == 30


def test_plan_says_and_changes_nothing(console: Console) -> None:
    """What `ship` would do, and no change of it."""
    console.commit("ends verified")
    said = console("plan")
    assert said.code == 0
    for part in ("Checks: unit", "Review: before", "Way back:", "Next: surefoot ship"):
        assert part in said.out
    assert console("log", "--json").object["changes"] == []


def test_who_alters_data_says_so_and_everybody_reads_it(console: Console) -> None:
    """`plan`, `ship` and `ship --again` take the word along; who looks or reviews is told."""
    console.commit("ends restored")
    assert console("plan", "--forward-only").code == 0
    assert not console("ship", "--json").object["forward_only"]
    assert console("ship", "--forward-only", "--json").object["forward_only"]
    for question in (("why", "2"), ("review", "2")):
        assert "raffic can go back, data cannot" in console(*question).out
        assert "data cannot" not in console(*question[:1], "1").out
    assert console("ship", "--again", "1", "--forward-only", "--json").object["forward_only"]
    said = console("ship", "--each", "--forward-only")
    assert said.code == 2
    assert "--forward-only" in said.err


def test_plan_exits_30_when_ship_would_refuse(console: Console) -> None:
    """In the same words, and with the same cure."""
    console.commit("is refused")
    said, shipped = console("plan"), console("ship")
    assert (said.code, shipped.code) == (30, 30)
    assert "Change 7 holds the lane." in said.err
    assert said.err == shipped.err


def test_adopt_follows_to_its_end(console: Console) -> None:
    """The first release ends as adopted, exit 0."""
    console.commit("what runs")
    said = console("adopt")
    assert said.code == 0
    assert "is adopted" in said.out


@pytest.mark.parametrize("revision", ["no-such", "--upload-pack=x", "-n", "HEAD;id", "`id`", "a b"])
def test_a_revision_that_is_none_is_refused_here(console: Console, revision: str) -> None:
    """Unknown and malformed revisions never reach a shell, nor git as an option."""
    console.commit("ends verified")
    said = console("ship", "--", revision)
    assert said.code == 30
    assert f"no commit '{revision}'" in said.err
    assert console("log", "--json").object["changes"] == []


def test_without_a_manifest_the_next_command_is_named(console: Console) -> None:
    """Outside of a service and outside of git, the cure is ready to copy."""
    (console.folder / "surefoot.toml").unlink()
    console.commit("ends verified")
    said = console("ship")
    assert said.code == 30
    assert "`surefoot init` writes one." in said.err
    outside = Console(console.home, console.home)
    assert "not in a git repository" in outside("ship").err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[service\n", "line 1"),
        ("[service]\n", "names no service"),
        ("service = 3\n", "no service"),
    ],
)
def test_a_malformed_manifest_names_file_and_place(console: Console, text: str, told: str) -> None:
    """It is said here, before anything is asked."""
    (console.folder / "surefoot.toml").write_text(text)
    console.commit("ends verified")
    said = console("ship")
    assert said.code == 30
    assert "surefoot.toml" in said.err
    assert told in said.err


def test_a_subject_cannot_steer_the_terminal(console: Console) -> None:
    """Escape sequences of a commit's subject are not printed."""
    console.commit("ends verified")
    said = console("ship", "--why", "\x1b]0;owned\x07 \u202e", "--detach")
    assert "owned" in said.out
    assert not set(said.out) & {"\x1b", "\x07", "\u202e"}


def test_the_source_of_init_is_kept(console: Console, tmp_path: Path) -> None:
    """`init --from` says where the source is; later commands tell the same."""
    other = repository(tmp_path / "other")
    assert console("init", "--from", str(other)).code == 0
    console.commit("ends verified")
    console("ship", "--detach")
    kept = subprocess.run(
        ["git", "config", "surefoot.source"],
        cwd=console.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert kept.stdout.strip() == str(other)
    assert console("why", "--json").code == 0
