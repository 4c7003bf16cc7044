"""A second opinion, from a real Prometheus with a past, and from one that scrapes a live shop."""

import json
import time
from collections.abc import Iterator

import pytest
from console import Console, lonely
from prometheus_world import (
    STEP,
    Instance,
    Shop,
    fill,
    past,
    prometheus,
    real_prometheus,
    serving,
)

__all__ = ["lonely"]  # pytest takes fixtures by name from here
pytestmark = real_prometheus

SCRAPES = 120
LASTED = (SCRAPES + 1) * STEP
BAD = 'requests_total{code=~"5.."}'


def release(job, canary, baseline=None, count=1):
    """Both arms of a job: instances that are scraped at their own moments."""
    arms = (("b", canary), ("a", baseline or {}))
    return [
        Instance(job, name, f"{name}{number}", phase=3.1 * number + (name == "a"), **kind)
        for name, kind in arms
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[tuple[str, float]]:
    """The address of a Prometheus with a past, and when that past ended."""
    folder = tmp_path_factory.mktemp("prometheus")
    start = float(round(time.time()) - 7200)
    instances = [
        *release("good", {}, count=2),
        *release("bad", {"errors": 30}),
        *release("slow", {"slow": 30}),
        *release("restarts", {"restart_at": 40, "errors": 0}),
        *release("missing", {"missing": frozenset({50, 51, 70})}),
        *release("flawless", {"errors": 0}, {"errors": 0}),
        *release("other-buckets", {"bounds": ("0.05", "0.3", "+Inf")}),
    ]
    fill(folder, past(instances, SCRAPES, start))
    with prometheus(folder) as url:
        yield url, start


def ask(console: Console, site, job: str, *more: str, errors: str = BAD):
    url, start = site
    arms = [f'job="{job}", release="{name}"' for name in ("b", "a")]
    times = ("--start", _iso(start - 1), "--end", _iso(start + LASTED))
    asked = ("--canary", arms[0], "--baseline", arms[1], "--errors", errors)
    return console("judge", "--prometheus", url, *asked, *times, *more)


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))


def recorded(console: Console):
    """The rows of the record, by arm."""
    rows = [json.loads(line) for line in (console.folder / "it.jsonl").read_text().splitlines()]
    told = {"canary": [], "baseline": []}
    for row in rows[1:]:
        told[row["arm"]].append(row)
    return rows[0]["plan"], told


def test_a_harmless_release_is_verified(lonely: Console, site) -> None:
    """Errors and latency of several instances: verified, at margins that are said."""
    said = ask(lonely, site, "good", "--latency", "seconds", "--record", "it.jsonl")
    assert said.code == 0, said.err
    assert "VERIFIED" in said.out
    assert "errors at most" in said.out
    assert "latency at most" in said.out
    assert "instances 2 of the canary, 2 of the baseline" in said.err
    plan, rows = recorded(lonely)
    assert plan["interval"] == STEP
    errors = [row for row in rows["canary"] if row["metric"] == "errors"]
    assert {(row["bad"], row["all"]) for row in errors} == {(2, 300)}
    assert len(errors) >= SCRAPES - 2
    latency = [row["le"] for row in rows["baseline"] if row["metric"] == "latency"]
    exact = {"0.05": 220, "0.1": 240, "0.2": 260, "0.4": 280, "+Inf": 300}
    assert all(le == exact for le in latency)


def test_a_harmful_release_is_worse(lonely: Console, site) -> None:
    """A fifth of requests failing: worse within a few scrapes, and the record says the same."""
    said = ask(lonely, site, "bad", "--record", "it.jsonl", "--json")
    assert said.code == 10, said.err
    assert (said.object["verdict"], said.object["metric"]) == ("worse", "errors")
    assert said.object["at"] <= 3 * STEP
    again = lonely("judge", "it.jsonl", "--json")
    assert (again.code, again.object) == (10, said.object)


def test_slow_answers_are_worse(lonely: Console, site) -> None:
    """A histogram whose buckets move is found without any error, explained and drawn."""
    more = ("--latency", "seconds", "--explain", "--plot", "it.svg")
    said = ask(lonely, site, "slow", *more)
    assert said.code == 10, said.err
    assert "latency: canary" in said.out
    assert "Of that evidence against it: latency" in said.out
    assert "slower than" in (lonely.folder / "it.svg").read_text()


def test_restart_is_no_harm_and_no_gap(lonely: Console, site) -> None:
    """A counter that begins again at zero goes on counting: each tick has its 150 requests."""
    said = ask(lonely, site, "restarts", "--record", "it.jsonl")
    assert said.code == 0, said.err
    assert "counters reset" in said.err
    _, rows = recorded(lonely)
    assert {row["all"] for row in rows["canary"]} == {150}


def test_missed_scrapes_join_both_arms(lonely: Console, site) -> None:
    """Where the canary was not scraped, both arms' ticks are longer, and nothing is lost."""
    said = ask(lonely, site, "missing", "--record", "it.jsonl")
    assert said.code == 0, said.err
    assert "3 scrapes missed" in said.err
    _, rows = recorded(lonely)
    both = [[row["all"] for row in rows[arm]] for arm in ("canary", "baseline")]
    assert both[0] == both[1]
    assert sorted(set(both[0])) == [150, 300, 450]
    assert sum(both[0]) >= (SCRAPES - 2) * 150


def test_no_errors_at_all_is_verified_and_said(lonely: Console, site) -> None:
    """A label that never says 5xx is no error, which is said; one that is not there is no data."""
    said = ask(lonely, site, "flawless")
    assert said.code == 0, said.err
    assert "counted as no errors" in said.err
    unknown = ask(lonely, site, "flawless", errors='requests_total{status=~"5.."}')
    assert unknown.code == 2
    assert "no errors cannot be told from no data" in unknown.err


def test_what_cannot_be_compared_is_refused(lonely: Console, site) -> None:
    """Other buckets, nothing selected, and a selector that Prometheus does not take."""
    said = ask(lonely, site, "other-buckets", "--latency", "seconds")
    assert said.code == 2
    assert "bounds 0.1, 0.2, 0.3, 0.4" in said.err
    nothing = ask(lonely, site, "nobody")
    assert nothing.code == 2
    assert 'nothing of the canary for requests_total{job="nobody", release="b"}' in nothing.err
    wrong = ask(lonely, site, "good", errors='requests_total{code=~"("}')
    assert wrong.code == 2
    assert "Prometheus does not take" in wrong.err


def test_plan_sets_margins_and_limits(lonely: Console, site) -> None:
    """A plan file has every key of a record's first line; what was asked for stays required."""
    plan = {"plan": {"alpha_ok": 0.01, "metrics": {"errors": {"margin_points": 7}}}}
    (lonely.folder / "plan.json").write_text(json.dumps(plan))
    said = ask(lonely, site, "good", "--plan", "plan.json", "--record", "it.jsonl")
    assert said.code == 0, said.err
    assert "errors at most +7 points or x1 (99 %)" in said.out
    assert recorded(lonely)[0]["time_limit"] >= LASTED


BCRYPT_OF_TEST = "$2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay"  # Prometheus' docs


def test_headers_come_from_a_file_or_the_environment(lonely: Console, tmp_path) -> None:
    """A Prometheus with a password: refused in words, let in by either; told on no argv."""
    folder = tmp_path / "prometheus"
    folder.mkdir()
    start = float(round(time.time()) - 7200)
    fill(folder, past(release("bad", {"errors": 30}), SCRAPES, start))
    (folder / "web.yml").write_text(f"basic_auth_users:\n  alice: {BCRYPT_OF_TEST}\n")
    header = "Authorization: Basic YWxpY2U6dGVzdA=="  # alice:test
    (lonely.folder / "headers").write_text(header + "\n")
    with prometheus(folder, "", f"--web.config.file={folder / 'web.yml'}") as url:
        site = (url, start)
        refused = ask(lonely, site, "bad")
        assert refused.code == 50
        assert "wants to know who asks" in refused.err
        assert ask(lonely, site, "bad", "--headers", "headers").code == 10
        arms = ("--canary", 'release="b"', "--baseline", 'release="a"', "--errors", BAD)
        times = ("--start", _iso(start), "--end", _iso(start + LASTED))
        known = {"SUREFOOT_PROMETHEUS_HEADERS": header}
        assert lonely("judge", "--prometheus", url, *arms, *times, **known).code == 10


CONFIG = """
global: {{scrape_interval: 500ms, scrape_timeout: 400ms}}
scrape_configs:
  - job_name: shop
    static_configs:
      - {{targets: ["{a}"], labels: {{release: a}}}}
      - {{targets: ["{b}"], labels: {{release: b}}}}
"""


def test_following_ends_with_a_verdict(lonely: Console, tmp_path) -> None:
    """A live shop whose canary fails a third of its requests: worse after some scrapes."""
    with serving({"/metrics": page(Shop(0.01))}) as a, serving({"/metrics": page(Shop(0.33))}) as b:
        config = CONFIG.format(a=a.removeprefix("http://"), b=b.removeprefix("http://"))
        with prometheus(tmp_path, config) as url:
            arms = ("--canary", 'release="b"', "--baseline", 'release="a"', "--errors", BAD)
            said = lonely("judge", "--prometheus", url, *arms, "--follow", "--record", "it.jsonl")
    assert said.code == 10, said.err
    assert "watching: " in said.out
    assert "errors: canary" in said.out
    _, rows = recorded(lonely)
    for row in rows["canary"]:
        assert row["bad"] / row["all"] == pytest.approx(0.33, abs=0.001)
    assert lonely("judge", "it.jsonl").code == 10


def page(shop: Shop):
    return lambda: (200, {"Content-Type": "text/plain; version=0.0.4"}, shop.look().encode())
