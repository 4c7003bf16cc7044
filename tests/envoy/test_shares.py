"""Users are moved between releases without losing a request, and meet what was ordered.

Method: real Envoy, real keeper, real services as processes; users who never try again.
"""

import asyncio
import io
import json
import signal
from collections import Counter

import aiohttp
import pytest
from envoy_helpers import free_address, listens, until

from surefoot.domain.errors import NotFound, OutsideFailed, Refused
from surefoot.ports import Front, Routes, UpstreamArm

pytest_plugins = ("envoy_world",)

LEASE_S = 10.0


async def test_no_request_fails_while_shares_change(site):
    """Twenty changes of the share and a switch fail no request; each is read back as ordered."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    async with site.users(front) as met:
        for step in range(20):
            share = step * 7 % 20 / 20
            wanted = Routes("shop", live=1, candidate=2, share=share, change=5)
            assert await site.traffic.route(wanted, LEASE_S) > 0
            assert (await site.traffic.seen("shop")).routes == wanted
        before = met.statuses.total()
        await until(lambda: met.statuses.total() > before + 200)
        switched = Routes("shop", live=2, spare=1)
        await site.traffic.route(switched, LEASE_S)
        met.releases.clear()
        await until(lambda: met.releases["2"] > 100)
    seen = await site.traffic.seen("shop")
    assert seen.routes == switched
    assert seen.healthy == {1: True, 2: True}
    assert met.bad == 0
    assert met.releases["1"] <= 16  # what was under way at the switch


async def test_a_share_is_met(site):
    """A fifth of the requests meets the change when a fifth was ordered."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(Routes("shop", live=1, candidate=2, share=0.2, change=5), LEASE_S)
    async with site.users(front) as met:
        await until(lambda: met.statuses.total() >= 1000)
    # Five standard deviations of a binomial with n = 1000 and p = 0.2.
    assert met.releases["2"] / met.releases.total() == pytest.approx(0.2, abs=0.065)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_dead_candidate_costs_no_safe_request(site, how):
    """A candidate killed at half the traffic fails no GET, and nothing more counts for it."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(Routes("shop", live=1, candidate=2, share=0.5, change=5), LEASE_S)
    async with site.users(front) as met:
        await until(lambda: met.releases["2"] > 50)
        two.kill(how)
        two.process.wait()
        answered = await _succeeded(site, two)
        before = met.releases["1"]
        await until(lambda: met.releases["1"] > before + 200)
    assert met.bad == 0
    assert await _succeeded(site, two) == answered
    await until(lambda: _is_down(site, 2))
    flags = {row["flags"] for row in _attempts(site) if row["host"] == str(two.address)}
    assert flags & {"UF", "UC"}, "the dead host's failed attempts are on record"


async def test_a_dead_live_release_is_covered_by_its_spare(site):
    """With a warm spare, killing the live release fails no GET."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(Routes("shop", live=2, spare=1), LEASE_S)
    async with site.users(front) as met:
        await until(lambda: met.releases["2"] > 50)
        two.kill()
        await until(lambda: met.releases["1"] > 100)
    assert met.bad == 0


async def test_two_services_side_by_side(site):
    """What happens to one service changes nothing for another."""
    one, two, other = await site.run(1, 2, 9)
    front = await site.front(one, two)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    till = await site.front(other, service="till")
    await site.traffic.route(Routes("till", live=9), LEASE_S)
    async with site.users(till) as met, site.users(front):
        await site.traffic.route(Routes("shop", live=1, candidate=2, share=0.5, change=5), LEASE_S)
        await site.traffic.give_back("shop")
        await site.traffic.retire("shop")
        await until(lambda: met.statuses.total() > 200)
    assert met.bad == 0
    assert set(met.releases) == {"9"}
    assert not listens(front.listen)
    assert (await site.traffic.seen("till")).routes == Routes("till", live=9)
    with pytest.raises(NotFound):
        await site.traffic.route(Routes("shop", live=1), LEASE_S)


async def test_a_cookie_keeps_a_user(site):
    """With sticky cookies each user stays where they came in, and a rise moves none back."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two, sticky="cookie")
    wanted = Routes("shop", live=1, candidate=2, share=0.5, change=5)
    await site.traffic.route(wanted, LEASE_S)
    first = [await _user(front) for _ in range(40)]
    assert {release for release, _ in first} == {"1", "2"}
    for release, cookies in first:
        assert set(cookies) == {"surefoot_shop_5"}
        assert (await _user(front, cookies))[0] == release
    await site.traffic.route(Routes("shop", live=1, candidate=2, share=0.75, change=5), LEASE_S)
    later = [(release, (await _user(front, cookies))[0]) for release, cookies in first]
    assert ("2", "1") not in later
    assert (await site.traffic.seen("shop")).routes.share == 0.75


async def test_a_header_keeps_a_user(site):
    """With `header:NAME` all requests with the same value meet the same release."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two, sticky="header:x-tenant")
    await site.traffic.route(Routes("shop", live=1, candidate=2, share=0.5, change=5), LEASE_S)
    met = {tenant: set() for tenant in map(str, range(30))}
    async with aiohttp.ClientSession() as session:
        for tenant in [*met] * 4:
            async with session.get(_url(front), headers={"x-tenant": tenant}) as answer:
                met[tenant].add((await answer.json())["release"])
    assert all(len(releases) == 1 for releases in met.values())
    assert set.union(*met.values()) == {"1", "2"}


async def test_the_proxy_is_invisible(site):
    """Host, forwarding headers, large bodies, slow answers and WebSockets pass as they are."""
    (one,) = await site.run(1)
    front = await site.front(one)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    sent = {
        "Host": "shop.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "203.0.113.9",
        "x-envoy-upstream-rq-timeout-ms": "1",
    }
    async with aiohttp.ClientSession() as session:
        async with session.get(_url(front, "/?wait=0.3"), headers=sent) as answer:
            told = (await answer.json())["headers"]
            assert not [name for name in answer.headers if name.lower().startswith("x-envoy")]
            assert answer.headers["Server"].startswith("BaseHTTP")
        assert told["host"] == "shop.example"
        assert told["x-forwarded-proto"] == "https"
        assert told["x-forwarded-for"] == "203.0.113.9,127.0.0.1"
        async with session.post(_url(front), data=io.BytesIO(bytes(8 << 20))) as answer:
            assert answer.status == 200
        async with session.get(_url(front, "/?lines=5")) as answer:
            await site.traffic.route(Routes("shop", live=1), LEASE_S)
            assert await answer.text() == "0\n1\n2\n3\n4\n"


async def test_an_old_client_need_not_name_its_host(site):
    """HTTP/1.0 knows no Host header; such users are served like any other."""
    (one,) = await site.run(1)
    front = await site.front(one)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    reader, writer = await asyncio.open_connection(front.listen.host, front.listen.port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert b" 200 " in (await reader.readline())
    writer.close()
    await writer.wait_closed()


async def test_an_open_socket_survives_a_switch(site):
    """What is upgraded to a WebSocket stays open and whole when routes change."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    reader, writer = await asyncio.open_connection(front.listen.host, front.listen.port)
    writer.write(
        b"GET /socket HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: c3VyZWZvb3QtLXN1cmVmb28=\r\n\r\n"
    )
    assert b" 101 " in (await reader.readuntil(b"\r\n\r\n"))
    await site.traffic.route(Routes("shop", live=2, spare=1), LEASE_S)
    writer.write(b"still here\n")
    assert await reader.readline() == b"1: still here\n"
    writer.close()
    await writer.wait_closed()


async def test_a_time_limit_is_the_manifests(site):
    """An answer is cut only when the manifest has a time limit, as soon as it is served."""
    (one,) = await site.run(1)
    front = await site.front(one)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    async with aiohttp.ClientSession() as session:
        async with session.get(_url(front, "/?wait=0.4")) as answer:
            assert answer.status == 200
        await site.traffic.serve(Front("shop", front.listen, front.arms, "/", timeout_s=0.1))
        async with session.get(_url(front, "/?wait=0.4")) as answer:
            assert answer.status == 504


async def test_before_the_first_release_users_are_told(site):
    """A served service without routes answers 503 and says why, and has no routes."""
    (one,) = await site.run(1)
    front = await site.front(one)
    async with aiohttp.ClientSession() as session, session.get(_url(front)) as answer:
        assert answer.status == 503
        assert "shop" in await answer.text()
    assert (await site.traffic.seen("shop")).routes is None


async def test_an_address_in_use_is_named(site):
    """A listen address that somebody else has is refused by name; other services stay."""
    one, two = await site.run(1, 2)
    front = await site.front(one)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    with pytest.raises(OutsideFailed, match="cannot listen for till") as error:
        await site.traffic.serve(Front("till", two.address, (two.arm,), "/"))
    assert "surefoot.toml" in error.value.cure
    async with site.users(front) as met:
        await until(lambda: met.statuses.total() > 50)
    assert met.bad == 0
    assert (await site.front(two, service="till")).service == "till"


async def test_traffic_never_goes_where_nothing_answers(site):
    """Unknown and unhealthy releases get no traffic, and the routes stay as they were."""
    one, two = await site.run(1, 2)
    await site.front(one, two)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    with pytest.raises(Refused, match="does not know release 3"):
        await site.traffic.route(Routes("shop", live=3), LEASE_S)
    two.kill()
    await until(lambda: _is_down(site, 2))
    with pytest.raises(OutsideFailed, match="Release 2 of shop is not healthy"):
        await site.traffic.route(Routes("shop", live=2), LEASE_S)
    assert (await site.traffic.seen("shop")).routes == Routes("shop", live=1)


async def test_a_release_that_serves_does_not_move(site):
    """Other addresses for a healthy release with users are refused; for a dead one, taken."""
    one, again = await site.run(1, 1)
    front = await site.front(one)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    elsewhere = Front("shop", front.listen, (again.arm,), "/")
    with pytest.raises(Refused, match="addresses cannot change"):
        await site.traffic.serve(elsewhere)
    one.kill()
    await until(lambda: _is_down(site, 1))
    await site.traffic.serve(elsewhere)
    async with site.users(front) as met:
        await until(lambda: met.releases["1"] > 20)
    assert met.bad == 0


async def test_a_release_that_goes_is_removed_after_its_route(site):
    """A release that is no longer served stays known while routes name it, and then goes."""
    one, two = await site.run(1, 2)
    front = await site.front(one, two)
    await site.traffic.route(Routes("shop", live=1, candidate=2, share=0.5, change=5), LEASE_S)
    async with site.users(front) as met:
        await site.traffic.serve(Front("shop", front.listen, (two.arm,), "/"))
        assert set((await site.traffic.seen("shop")).healthy) == {1, 2}
        await site.traffic.route(Routes("shop", live=2), LEASE_S)
        await until(lambda: met.statuses.total() > 100)
    assert met.bad == 0
    assert set((await site.traffic.seen("shop")).healthy) == {2}


async def test_several_instances_share_the_traffic(site):
    """A release with two instances uses both, and one of them dead fails no GET."""
    one, other = await site.run(1, 1)
    arm = UpstreamArm(1, (one.address, other.address))
    front = Front("shop", free_address(), (arm,), "/")
    await site.traffic.serve(front)
    await site.traffic.route(Routes("shop", live=1), LEASE_S)
    async with site.users(front) as met:
        await until(lambda: met.statuses.total() > 100)
        one.kill()
        before = met.statuses.total()
        await until(lambda: met.statuses.total() > before + 200)
    assert met.bad == 0
    hosts = Counter(row["host"] for row in _attempts(site))
    assert min(hosts[str(one.address)], hosts[str(other.address)]) > 20


def _url(front: Front, path: str = "/") -> str:
    return f"http://{front.listen}{path}"


async def _user(front: Front, cookies: dict[str, str] | None = None) -> tuple[str, dict[str, str]]:
    """One user's visit: who answered, and the cookies that they now have."""
    jar = aiohttp.CookieJar(unsafe=True)  # addresses have cookies too
    async with aiohttp.ClientSession(cookies=cookies, cookie_jar=jar) as session:
        async with session.get(_url(front)) as answer:
            release = (await answer.json())["release"]
        return release, {each.key: each.value for each in jar}


async def _succeeded(site, release) -> int:
    endpoint = f"{release.address.host}_{release.address.port}"
    name = f"cluster.svc__shop__r{release.number}.endpoint.{endpoint}.rq_success"
    return int((await site.traffic._proxy.admin.stats(f"^{name}$"))[name])


async def _is_down(site, release: int) -> bool:
    return not (await site.traffic.seen("shop")).healthy[release]


def _attempts(site) -> list[dict[str, object]]:
    lines = site.traffic.attempts_log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]
