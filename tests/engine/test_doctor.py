"""What `doctor` finds in a running control plane: each thing that is wrong has its cure."""

import socket

from engine_world import ANA, NO_REVIEW, OWN, World, manifest


async def wrong(world: World) -> dict[str, tuple[str, str]]:
    """What is said and advised for each finding that is not well."""
    findings = await world.desk.doctor()
    assert all(one.says for one in findings)
    assert all(one.cure or one.ok for one in findings)
    return {one.name: (one.says, one.cure) for one in findings if not one.ok}


async def test_a_service_that_is_served_and_asked_is_well(world: World):
    """Host, proxy, traffic and memory are looked at, and all of it is well."""
    await world.open()
    assert await wrong(world) == {}
    names = {one.name for one in await world.desk.doctor()}
    assert {"git", "SQLite", "disk", "isolation"} <= names
    assert {"shop proxy", "shop traffic", "shop memory"} <= names


async def test_nothing_is_live_and_its_port_is_taken(world: World):
    """Both are said before anybody tries: what to type, and what stands in the way."""
    await world.up()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        await world.desk.register("shop", "", manifest("shop", port), ANA)
        found = await wrong(world)
    assert "surefoot adopt" in found["shop"][1]
    assert str(port) in found["shop port"][0]
    assert "shop port" not in await wrong(world)


async def test_traffic_that_is_too_small_for_the_time_limit(world: World):
    """It is said before a change waits for it in vain."""
    await world.open(per_s=0.2)
    says, cure = (await wrong(world))["shop traffic"]
    assert "too little" in says
    assert "time_limit" in cure


async def test_a_declared_metric_without_a_sample_is_named(world: World):
    """A metric that is misspelt would hold every change up."""
    await world.open(more=NO_REVIEW + OWN)
    world.daemon.telemetry.hidden.add("checkout_errors")
    await world.live(3)
    says, cure = (await wrong(world))["shop checkout_errors"]
    assert "no usable sample" in says
    assert "/metrics" in cure
