"""Production does not depend on a control plane that lives, and obeys only the newest one.

Method: real Envoy, real keeper, real services as processes; users who never try again.
"""

import asyncio
import json
import signal

import aiohttp
import pytest
from envoy_helpers import ProcessPrograms, RealClock, Release, until

from surefoot.adapters.envoy import EnvoyTraffic, envoy_binary
from surefoot.domain.errors import OutsideFailed, Relieved
from surefoot.ports import Front, Routes

pytest_plugins = ("envoy_world",)

LEASE_S = 10.0
EXPOSED = Routes("shop", live=1, candidate=2, share=0.5, change=5)
GIVEN_BACK = Routes("shop", live=1, candidate=2, share=0.0, change=5)


async def test_a_daemon_that_is_gone_gives_back(site):
    """A lease that nobody renews: the old release has all traffic, and the change is fenced."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(EXPOSED, 2.0)
    async with site.users(front) as met:
        await until(lambda: _routes_are(site, GIVEN_BACK))
        met.releases.clear()
        await until(lambda: met.releases["1"] > 100)
    assert met.bad == 0
    assert met.releases["2"] <= 16  # what was under way at that moment
    (given_back,) = (await site.traffic.seen("shop")).given_back
    assert (given_back.service, given_back.change) == ("shop", 5)
    assert given_back.at == pytest.approx(site.clock.now(), abs=60)
    with pytest.raises(Relieved, match="given back for good"):
        await site.traffic.route(EXPOSED, LEASE_S)
    with pytest.raises(Relieved):
        await site.traffic.renew("shop", 5, LEASE_S)
    await site.traffic.route(Routes("shop", live=1, candidate=2, share=0.5, change=6), LEASE_S)


async def test_giving_back_is_one_order(site):
    """`give_back` returns all traffic within seconds, and a second one finds nothing to do."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(EXPOSED, LEASE_S)
    async with site.users(front) as met:
        await until(lambda: met.releases["2"] > 20)
        assert await site.traffic.give_back("shop") > 0
        met.releases.clear()
        await until(lambda: met.releases["1"] > 100)
    assert met.bad == 0
    assert met.releases["2"] <= 16
    await site.traffic.give_back("shop")
    assert (await site.traffic.seen("shop")).routes == GIVEN_BACK


async def test_a_newer_daemon_relieves_an_older(site):
    """The newer knows every service at once; whatever the older orders then is refused."""
    one, two, three = await site.run(1, 2, 3)
    front = await site.front(one, two)
    await site.traffic.route(EXPOSED, LEASE_S)
    newer = site.daemon(2)
    await newer.start()
    assert (await newer.seen("shop")).routes == EXPOSED
    await newer.renew("shop", 5, LEASE_S)
    for late in (
        lambda: site.traffic.route(GIVEN_BACK, LEASE_S),
        lambda: site.traffic.renew("shop", 5, LEASE_S),
        lambda: site.traffic.serve(Front("shop", front.listen, (one.arm, three.arm), "/")),
        lambda: site.daemon(1).start(),
    ):
        with pytest.raises(Relieved):
            await late()
    assert (await newer.seen("shop")).routes == EXPOSED
    await newer.route(Routes("shop", live=2, spare=1), LEASE_S)
    assert (await newer.seen("shop")).routes == Routes("shop", live=2, spare=1)


async def test_a_killed_keeper_changes_nothing(site):
    """Routes stay while the keeper is away, and the next one holds the lease again."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(EXPOSED, LEASE_S)
    async with site.users(front) as met:
        site.programs.kill("keeper")
        await until(lambda: _renewed(site))
        assert (await site.traffic.seen("shop")).routes == EXPOSED
        await site.traffic.route(Routes("shop", 1, 2, share=0.25, change=5), LEASE_S)
    assert met.bad == 0


async def test_a_silent_keeper_is_replaced(site, monkeypatch):
    """A keeper that hangs is ended at the next start, and another one serves."""
    monkeypatch.setattr("surefoot.adapters.envoy.traffic._START_S", 6.0)
    monkeypatch.setattr("surefoot.adapters.envoy.keeping._ANSWER_S", 1.0)
    one, two = await site.run(1, 2)
    await site.front(one, two)
    await site.traffic.route(EXPOSED, LEASE_S)
    site.programs.kill("keeper", signal.SIGSTOP)
    newer = site.daemon(2)
    await newer.start()
    assert (await newer.seen("shop")).routes == EXPOSED


async def test_a_killed_envoy_has_a_standby(site):
    """The standby takes over with the routes as they were, and is steered like the first."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(EXPOSED, LEASE_S)
    async with site.users(front) as met:
        await until(lambda: met.releases["2"] > 20)
        site.programs.kill("envoy")
        before = met.releases["2"]
        await until(lambda: met.releases["2"] > before + 20)
    wanted = Routes("shop", 1, 2, share=0.25, change=5)
    await until(lambda: _ordered(site, wanted))
    assert (await site.traffic.seen("shop")).routes == wanted


async def test_without_envoy_an_order_is_not_believed(site):
    """While Envoy is down an order is written, and an error says that nobody has read it."""
    one, two = await site.run(1, 2)
    await site.front(one, two)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    for name in ("envoy-standby", "envoy"):
        await site.programs.drop(name)
    with pytest.raises(OutsideFailed, match="did not say that it has them"):
        await site.traffic.give_back("shop")
    with pytest.raises(OutsideFailed, match="Envoy does not answer"):
        await site.traffic.seen("shop")


async def test_rejected_routes_are_taken_back(site):
    """Routes that Envoy refuses are replaced by the ones before, on disk too."""
    (one,) = await site.run(1)
    front = await site.front(one)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    path = site.home / "envoy" / "rds" / "shop" / "rds.json"
    before = json.loads(path.read_text())["resources"][0]["virtual_hosts"]
    with pytest.raises(OutsideFailed, match="rejects the new routes"):
        await site.traffic._keeper.order(
            "set",
            service="shop",
            change=5,
            epoch=1,
            seq=99,
            lease_s=LEASE_S,
            routes={"name": "shop", "virtual_hosts": [{"nonsense": 1}]},
            fallback={"name": "shop", "virtual_hosts": []},
        )
    assert json.loads(path.read_text())["resources"][0]["virtual_hosts"] == before
    async with site.users(front) as met:
        await until(lambda: met.statuses.total() > 50)
    assert met.bad == 0


async def test_the_way_back_is_rehearsed(site):
    """There and back by a route of our own: users meet nothing of it, and nothing is left."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    async with site.users(front) as met:
        rehearsal = await site.traffic.rehearse("shop", 1, 2, "/")
        await site.traffic.warm("shop", 2, ["/", "/catalogue"])
        await until(lambda: met.statuses.total() > 50)
    assert rehearsal.ok
    assert rehearsal.seconds > 0
    assert met.bad == 0
    assert set(met.releases) == {"1"}
    assert (await site.traffic.seen("shop")).routes == Routes("shop", live=1)
    assert "private" not in (site.home / "envoy" / "rds" / "shop" / "rds.json").read_text()
    await until(lambda: len(_asked_of(site, two)) >= 3)  # Envoy writes its log each 0.1 s
    asked = _asked_of(site, two)
    assert len(asked) == 3
    assert {row["cluster"] for row in asked} == {"svc__shop__r2"}


async def test_a_rehearsal_beside_an_exposed_change(site):
    """The head is rehearsed while a change is exposed: its share and its lease stay its own."""
    one, two, three = await site.run(1, 2, 3)
    await site.front(one, two, three)
    await site.traffic.route(EXPOSED, 60.0)
    before = await _lease_left(site)
    assert (await site.traffic.rehearse("shop", 2, 3, "/")).ok
    assert (await site.traffic.seen("shop")).routes == EXPOSED
    assert 0 < await _lease_left(site) < before
    await site.traffic._keeper.order("give_back", service="shop", why="meanwhile, by a person")
    assert (await site.traffic.rehearse("shop", 1, 3, "/")).ok
    assert (await site.traffic.seen("shop")).routes == GIVEN_BACK


async def test_a_rehearsal_says_what_failed(site, monkeypatch):
    """A release that answers with an error, or not at all, fails its rehearsal in words."""
    monkeypatch.setattr("surefoot.adapters.envoy.traffic._REHEARSE_S", 0.5)
    one, two = await site.run(1, 2)
    await site.front(one, two)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    bad = await site.traffic.rehearse("shop", 1, 2, "/?status=500")
    assert (bad.ok, bad.said) == (False, "release 2 answered /?status=500 with 500")
    slow = await site.traffic.rehearse("shop", 1, 2, "/?wait=3")
    assert (slow.ok, slow.said[:32]) == (False, "release 2 did not answer /?wait=")
    assert "private" not in (site.home / "envoy" / "rds" / "shop" / "rds.json").read_text()


async def test_an_unfinished_rehearsal_is_swept(site):
    """The private route of a daemon that was killed while rehearsing is gone at the next start."""
    one, two = await site.run(1, 2)
    await site.front(one, two)
    await site.traffic.route(EXPOSED, LEASE_S)
    site.traffic._private["shop"]["known to nobody else"] = 2
    await site.traffic._put_as_it_is("shop")
    path = site.home / "envoy" / "rds" / "shop" / "rds.json"
    assert "known to nobody else" in path.read_text()
    newer = site.daemon(2)
    await newer.start()
    assert "known to nobody else" not in path.read_text()
    assert (await newer.seen("shop")).routes == EXPOSED


async def test_a_private_route_needs_its_token(site):
    """Users who send the private header with another value meet what everybody meets."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    site.traffic._private["shop"]["right"] = 2
    await site.traffic._put_as_it_is("shop")
    async with aiohttp.ClientSession() as session:
        for token, release in (("right", "2"), ("wrong", "1"), ("", "1")):
            headers = {"x-surefoot-private": token}
            async with session.get(f"http://{front.listen}/", headers=headers) as answer:
                told = await answer.json()
                assert told["release"] == release
        assert "right" not in str(told)


async def test_orders_at_the_same_time(site):
    """Rehearsals, warm-ups, shares and renewals of one service at once all come true."""
    one, two, three = await site.run(1, 2, 3)
    front = await site.front(one, two, three)
    await site.traffic.route(EXPOSED, LEASE_S)
    wanted = Routes("shop", 1, 2, share=0.75, change=5)
    async with site.users(front) as met:
        done = await asyncio.gather(
            site.traffic.rehearse("shop", 1, 3, "/"),
            site.traffic.rehearse("shop", 2, 3, "/"),
            site.traffic.warm("shop", 3, ["/"] * 5),
            site.traffic.route(wanted, LEASE_S),
            site.traffic.renew("shop", 5, LEASE_S),
        )
    assert done[0].ok
    assert done[1].ok
    assert met.bad == 0
    assert "3" not in met.releases
    assert (await site.traffic.seen("shop")).routes == wanted
    assert "private" not in (site.home / "envoy" / "rds" / "shop" / "rds.json").read_text()


async def test_the_attempt_log_is_rotated(site, monkeypatch):
    """A log that is too long is put aside, and rows go on in a new one."""
    (one,) = await site.run(1)
    front = await site.front(one)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    async with site.users(front) as met:
        await until(lambda: _attempts(site))
        await site.traffic.rotate_logs()
        assert not site.traffic.attempts_log.with_suffix(".log.1").exists()
        monkeypatch.setattr("surefoot.adapters.envoy.traffic._LOG_BYTES", 1)
        await site.traffic.rotate_logs()
        assert site.traffic.attempts_log.with_suffix(".log.1").exists()
        await until(lambda: site.traffic.attempts_log.exists() and _attempts(site))
    assert met.bad == 0


async def test_a_home_that_is_too_long_is_refused(tmp_path):
    """A socket's path has a limit, and the error says what to do."""
    home = tmp_path / ("long" * 30)
    traffic = EnvoyTraffic(home, ProcessPrograms(), envoy_binary({}), 1, RealClock())
    with pytest.raises(OutsideFailed, match="107 bytes") as error:
        await traffic.start()
    assert "shorter" in error.value.cure
    assert not home.exists()


async def _routes_are(site, wanted: Routes) -> bool:
    return (await site.traffic.seen("shop")).routes == wanted


async def _lease_left(site) -> float:
    state = await site.traffic._keeper.order("state", service="shop")
    return state["services"]["shop"]["deadline"] - site.clock.boottime()


async def _renewed(site) -> bool:
    try:
        await site.traffic.renew("shop", 5, LEASE_S)
    except OutsideFailed:
        return False
    return True


async def _ordered(site, wanted: Routes) -> bool:
    try:
        await site.traffic.route(wanted, LEASE_S)
    except OutsideFailed:
        return False
    return True


def _asked_of(site, release: Release) -> list[dict[str, object]]:
    return [row for row in _attempts(site) if row["host"] == str(release.address)]


def _attempts(site) -> list[dict[str, object]]:
    lines = site.traffic.attempts_log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]
