"""Changes of many kinds on real parts: real git, real Envoy, real processes, real load."""

import json

import pytest
from world import ANA, BO, wait_for

pytestmark = pytest.mark.timeout(600)


def share_of_bad(counts):
    """The fraction of answers that were not 200."""
    return 1 - counts["200"] / sum(counts.values())


@pytest.mark.parametrize(
    ("name", "behaviour", "said"),
    [
        ("leaves", {"exit_at_start": True}, "this release cannot find its database"),
        ("sleeps", {"never_healthy": True}, "/healthz"),
    ],
)
def test_a_release_that_does_not_start_is_rejected_before_any_user(
    world, load, name, behaviour, said
):
    """The end of its output is in the reason, and users notice nothing."""
    shop = world.service(name, ready="3s")
    shop.adopt()
    users = load(shop.port, 20)
    shop.commit("it will not start", **behaviour)
    number = shop.ship()
    status = shop.until(number, "rejected", 60)
    assert said in status["because"]
    assert status["exit_code"] == 30
    assert status["exposed_at"] is None
    assert set(users.end()) == {"200"}


def test_a_fifth_of_requests_failing_is_restored_and_the_fix_goes_first(world, load):
    """Found, undone, proven well; later work waits for the fix; the fix is verified."""
    shop = world.service("fifth")
    shop.adopt()
    users = load(shop.port, 100)
    shop.history()
    shop.commit("a fifth will fail", errors=0.2)
    bad = shop.ship()
    status = shop.until(bad, "restored")
    assert status["cause"] == "harm"
    assert status["worse"] == "errors"
    assert status["exit_code"] == 10
    assert status["harmed"]["harmed"] >= 1
    assert status["times"]["exposed_to_verdict_s"] < 30
    assert any("git revert" in line for line in status["next"])
    shop.commit("more work", errors=0.2, seconds=0.004)
    more = shop.ship()
    waits = wait_for(
        lambda: (s := shop.change(more))["wait"] and s["wait"]["cause"] == "a fix" and s,
        "more work waits for the fix",
        60,
    )
    assert waits["next"]
    shop.git("checkout", "--quiet", "-b", "fix", status["revision"])
    shop.commit("mend it")
    fix = shop.ship(fixes=bad)
    assert shop.until(fix, "verified")["number"] == fix
    counts = users.end()
    assert counts["none"] == 0
    assert set(counts) == {"200", "500"}
    wait_for(
        lambda: (shop.change(more)["wait"] or {}).get("cause") == "a rebase",
        "more work waits for a rebase onto the fix",
        30,
    )


def test_quiet_errors_are_found_by_name_and_a_death_costs_nobody(world, load):
    """Every answer of the one is 200, and still it is found; the other's death is a fact."""
    quiet, dies = world.service("quiet", checkout_errors=0.02), world.service("dies")
    for shop in (quiet, dies):
        shop.adopt()
    users = [load(quiet.port, 100), load(dies.port)]
    for shop in (quiet, dies):
        shop.history()
    quiet.commit("checkouts fail quietly", checkout_errors=0.12)
    dies.commit("it will die", die_after_s=10)
    numbers = [shop.ship() for shop in (quiet, dies)]
    assert quiet.until(numbers[0], "restored")["worse"] == "checkout_errors"
    assert dies.until(numbers[1], "restored")["cause"] == "harm"
    counts = [one.end() for one in users]
    assert set(counts[0]) == {"200"}
    # Only what was in flight may fail, and safe requests do not.
    assert sum(counts[1].values()) - counts[1]["200"] <= 2


def test_without_traffic_a_person_decides_or_it_is_given_back(world):
    """No data is never a pass: accepted with a reason, or given back after `answer_within`."""
    empty = world.service("empty", rollout='time_limit = "15s"\nanswer_within = "60s"')
    silent = world.service("silent", rollout='time_limit = "5s"\nanswer_within = "5s"')
    for shop in (empty, silent):
        shop.adopt()
        shop.commit("nobody will see it", seconds=0.001)
    number, unanswered = empty.ship(), silent.ship()
    asked = wait_for(
        lambda: (s := empty.change(number))["wait"] and s["wait"]["cause"] == "a person" and s,
        "it asks a person",
        150,
    )
    assert asked["phase"] == "rolling_out"
    assert asked["exit_code"] == 40
    refused = world.cli("accept", str(number), folder=empty.folder)
    assert refused.returncode in {2, 30}
    world.post(f"/v1/changes/{number}/accept", {"because": "it is night"}, BO)
    status = empty.until(number, "accepted", 30)
    assert "it is night" in status["because"]
    assert status["exit_code"] == 40
    assert silent.until(unanswered, "restored", 180)["cause"] == "inconclusive"


def test_undo_works_at_any_time_for_any_member(world, load):
    """Rolling out, verifying, in the soak; the second undo says that there is nothing to undo."""
    shop = world.service("undone")
    users, first = shop.roll_out(load)
    world.post(f"/v1/changes/{first}/undo", {"because": "looks odd"}, BO)
    status = shop.until(first, "restored", 60)
    assert status["cause"] == "person"
    assert status["times"]["undo_s"] < 2
    again = world.cli("undo", str(first), folder=shop.folder)
    assert again.returncode == 0
    assert "nothing to undo" in again.stdout.lower()
    shop.commit("two", seconds=0.003)
    second = shop.ship()
    shop.until(second, "verifying")
    world.post(f"/v1/changes/{second}/undo", {"because": "half of them is enough"}, BO)
    assert shop.until(second, "restored", 60)["cause"] == "person"
    shop.git("reset", "--quiet", "--hard", "HEAD~1")
    shop.commit("three", seconds=0.003)
    third = shop.ship()
    shop.until(third, "verified")
    world.post(f"/v1/services/{shop.name}/undo", {"because": "second thoughts"}, ANA)
    assert shop.until(third, "restored", 60)["cause"] == "person"
    assert shop.world.get(f"/v1/services/{shop.name}")["live"] == 0
    assert set(users.end()) == {"200"}


def test_three_services_at_once_know_nothing_of_each_other(world, load):
    """One is verified, with the errors that it always had; one is restored, and one undone."""
    good = world.service("good", errors=0.01)
    bad, undone = world.service("bad"), world.service("other")
    services = (good, bad, undone)
    for service in services:
        service.adopt()
    users = [load(service.port, 60) for service in services]
    for service in services:
        service.history()
    good.commit("harmless", errors=0.01, seed=2)
    bad.commit("a fifth will fail", errors=0.2)
    undone.commit("harmless too", seconds=0.004)
    numbers = [service.ship() for service in services]
    assert len(set(numbers)) == 3
    undone.until(numbers[2], {"rolling_out", "verifying"})
    world.post(f"/v1/changes/{numbers[2]}/undo", {"because": "looks odd"}, BO)
    assert undone.until(numbers[2], "restored", 60)["cause"] == "person"
    assert bad.until(numbers[1], "restored", 120)["cause"] == "harm"
    assert good.change(numbers[0])["phase"] in {"rolling_out", "verifying"}
    good.until(numbers[0], "verified")
    assert [world.get(f"/v1/services/{one.name}")["live"] for one in services] == [numbers[0], 0, 0]
    counts = [one.end() for one in users]
    assert set(counts[2]) == {"200"}
    assert counts[0]["none"] == counts[1]["none"] == 0  # the switches failed nobody
    assert share_of_bad(counts[0]) < 0.02


def test_harmless_changes_keep_the_lane_and_no_request_fails(world, load):
    """The first is verified with its margin said; the second is made ready meanwhile, and waits."""
    shop = world.service("order")
    shop.adopt()
    users = load(shop.port)
    shop.history()
    shop.commit("one", seconds=0.004)
    first = shop.ship(why="nothing to see")
    shop.commit("two", seconds=0.003)
    second = shop.ship()
    shop.until(second, "queued", 60)
    assert shop.change(first)["phase"] in {"rolling_out", "verifying"}
    done = shop.until(first, "verified")
    assert "errors at most" in done["because"]
    assert done["times"]["exposed_to_verdict_s"] >= 60
    assert done["rehearsed_s"] is not None
    assert done["exit_code"] == 0
    status = shop.until(second, {"rolling_out", "verifying"})
    assert status["exposed_at"] >= done["verdict_at"]
    world.post(f"/v1/changes/{second}/undo", {}, BO)
    shop.until(second, "restored", 60)
    assert set(users.end()) == {"200"}
    evidence = world.home / "services" / "order" / "evidence" / f"{first}.jsonl"  # or its .gz
    again = world.cli("judge", str(evidence), "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["verdict"] == "verified"
