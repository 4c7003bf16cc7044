"""Virtual time and the simulated production themselves."""

import asyncio
import time
from random import Random

import pytest

from surefoot.domain.errors import OutsideFailed
from surefoot.ports import Routes
from surefoot.testing import Behaviour, Faults, MemoryStore, Production, VirtualClock


async def test_half_an_hour_passes_in_a_moment_and_in_order():
    """Sleepers wake in the order of their times; nobody waits for real."""
    clock, woken = VirtualClock(), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.boottime()))

    began, real = clock.boottime(), time.monotonic()
    await asyncio.gather(*(sleeper(seconds) for seconds in (1800.0, 0.5, 60.0)))
    assert [seconds for seconds, _ in woken] == [0.5, 60.0, 1800.0]
    assert [at - began for _, at in woken] == pytest.approx([0.5, 60.0, 1800.0])
    assert time.monotonic() - real < 60


async def test_time_stands_still_while_a_thread_works():
    """A real file or thread costs no virtual time."""
    clock = VirtualClock()
    timer = asyncio.ensure_future(clock.sleep(5.0))
    began = clock.boottime()
    assert await asyncio.to_thread(lambda: "done") == "done"
    assert clock.boottime() == began
    assert not timer.done()
    await timer


async def test_time_limits_of_asyncio_are_virtual_too():
    """`wait_for` gives up after its virtual seconds."""
    clock = VirtualClock()
    began = clock.boottime()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 90.0)
    assert clock.boottime() - began == pytest.approx(90.0)


async def test_a_port_meets_its_faults_and_is_well_again():
    """So many times, for so long, or slowly; other methods are not touched."""
    clock = VirtualClock()
    faults = Faults(clock)
    faults.fail("save", times=2)
    for _ in range(2):
        with pytest.raises(OutsideFailed):
            await faults.meet("save")
    await faults.meet("save")
    faults.fail_for(10)
    with pytest.raises(OutsideFailed):
        await faults.meet("read")
    await clock.sleep(10)
    await faults.meet("read")
    faults.slow(3, "read")
    began = clock.boottime()
    await faults.meet("read")
    await faults.meet("save")
    assert clock.boottime() - began == pytest.approx(3)


async def test_production_answers_by_its_routes_and_behaviours():
    """Shares, errors and times are as ordered, up to chance; nothing is answered twice."""
    clock = VirtualClock()
    production = Production(clock, Random(1).random)
    for release in (1, 2):
        production.rise("shop", release)
    production.behave("shop", 2, Behaviour(errors=0.2, median_s=0.1))
    production.lead("shop", Routes("shop", live=1, candidate=2, share=0.25, change=2))
    production.ask("shop", 100)
    await clock.sleep(400)
    old, new = production.counted("shop", 1), production.counted("shop", 2)
    assert old.answered + new.answered == 40_000
    assert new.answered == pytest.approx(10_000, rel=0.05)
    assert new.bad / new.answered == pytest.approx(0.2, rel=0.1)
    assert old.bad / old.answered == pytest.approx(0.01, rel=0.2)
    assert sum(new.slow.values()) == new.answered
    fast = sum(count for bound, count in new.slow.items() if bound <= 0.1)
    assert fast / new.answered == pytest.approx(0.5, rel=0.05)


async def test_the_other_release_answers_for_one_that_is_gone():
    """And a hanging one keeps its requests until it ends."""
    clock = VirtualClock()
    production = Production(clock, Random(1).random)
    for release in (1, 2):
        production.rise("shop", release)
    production.lead("shop", Routes("shop", live=1, candidate=2, share=0.5, change=2))
    production.behave("shop", 2, Behaviour(hangs=True))
    production.ask("shop", 100)
    await clock.sleep(10)
    waiting = production.counted("shop", 2).active
    assert waiting > 0
    answered = production.counted("shop", 1).answered
    production.fall("shop", 2)
    assert production.counted("shop", 1).answered == answered + waiting
    await clock.sleep(10)
    assert production.counted("shop", 2).answered == 0
    assert production.unanswered("shop") == 0


async def test_a_store_that_fails_keeps_nothing_of_what_it_was_given():
    """All of it or nothing."""
    clock = VirtualClock()
    store = MemoryStore(clock)
    before = store.everything()
    store.faults.fail(times=1)
    with pytest.raises(OutsideFailed):
        await store.next_epoch()
    assert store.everything() == before
    assert await store.next_epoch() == 1
