"""The faults, each done to a site of its own, in which every change can still come to its end."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from random import Random

from crash_site import ENDED, PER_S, Site
from world import World

__all__ = ["BRIEF", "FAULTS", "Fault", "record"]

LEASE_S = 10.0
LOCKED_S = 60.0
# For how long users may get no answer, each time a part is killed. Measured for Envoy: 0.5 s on a
# machine with ten times as much to do as it can.
UNSERVED_S = {"keeper": 0.0, "supervisor": 0.0, "Envoy": 1.5}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something done to a site with these services.

    `act` takes the site and dice, and returns how many requests of users may fail because of it.
    `disk_bytes`: the home has a disk of its own of this size; 0: the host's.
    """

    services: tuple[str, ...]
    act: Callable[[Site, Random], int]
    disk_bytes: int = 0


def kill_daemon_often(site, dice, kills=50, changes=20):
    """kill -9 at random moments of many changes in three services, some harmful, some undone."""
    site.history()
    for service in site.services:
        site.ship(service)
    for number in tuple(site.ships):
        site.until(number, "rolling_out", "verifying")
    moments = [(dice.uniform(0.0, 18.0), dice.uniform(0.0, 2.0)) for _ in range(kills)]

    def kill_at_each():
        for pause_s, away_s in moments:
            time.sleep(pause_s)
            site.kill_daemon(away_s)

    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_at_each)
        while len(site.ships) < changes or not killing.done():
            for service in site.services:
                _go_on(site, service, dice, changes)
            time.sleep(0.5)
        killing.result()
    return 0


def _go_on(site, service, dice, changes):
    """Ship the next change when the last has ended; now and then somebody has second thoughts."""
    last = site.of(service)[-1]
    if site.look(last.number) not in ENDED:
        if dice.random() < 0.01 and last.undone is None:
            site.undo(last.number)
    elif len(site.ships) < changes:
        site.ship(service, harmful=dice.random() < 0.2)


def kill_part_in_each_phase(site, _dice, part):
    """kill -9 of one of the parts that are kept alive, once in each phase of a change."""
    site.history()
    (service,) = site.services
    site.order(service, "hold")
    number = site.ship(service, approve=False)
    site.until(number, "getting_ready")
    site.kill(part)
    site.approve(number)
    site.until(number, "queued")
    site.kill(part)
    site.order(service, "resume")
    for phase in ("rolling_out", "verifying", "verified"):
        site.until(number, phase)
        site.kill(part)
    number = site.ship(service)
    site.until(number, "rolling_out")
    site.undo(number)
    site.kill(part)
    site.until(number)
    number = site.ship(service)
    site.until(number, "rolling_out")
    site.kill(part, wait=False)
    site.undo(number)
    return 7 * _requests(site, UNSERVED_S[part])


def freeze_daemon(site, _dice):
    """SIGSTOP past the lease, then the daemon wakes up alone: its change is over, the next goes."""
    site.history()
    (service,) = site.services
    number = site.ship(service)
    site.until(number, "rolling_out")
    site.until_met(number)
    with site.daemon_away():
        os.kill(site.pid("daemon"), signal.SIGSTOP)
        time.sleep(LEASE_S + 5)
        os.kill(site.pid("daemon"), signal.SIGCONT)
    site.until(number, "restored")
    assert site.ships[number].cause == "unwatched"
    site.until(site.ship(service), "verified")
    return 0


def freeze_daemon_beside_successor(site, dice):
    """It wakes up at about the moment in which a second one begins; one of them lives on."""
    site.history()
    (service,) = site.services
    for _ in range(3):
        number = site.ship(service)
        site.until(number, "rolling_out", "verifying")
        frozen = site.world.daemon
        with site.daemon_away(), ThreadPoolExecutor(1) as pool:
            frozen.send_signal(signal.SIGSTOP)
            time.sleep(LEASE_S + 1)
            coming = pool.submit(site.world.up)
            time.sleep(dice.uniform(0.0, 1.5))
            frozen.send_signal(signal.SIGCONT)
            with contextlib.suppress(AssertionError):  # refused: the frozen one was quicker
                coming.result()
        if frozen.poll() is None:
            assert site.world.daemon.poll() is not None, "two daemons live in one home"
            site.world.daemon = frozen
        site.until(number)
    return 0


def fill_disk(site, _dice):
    """A full disk under an exposed change: held, and given back by order and by verdict."""
    site.history()
    one, other, third = site.services
    numbers = [site.ship(one), site.ship(other, harmful=True), site.ship(third)]
    for number in numbers:
        site.until(number, "rolling_out", "restoring", "restored")
    with _full_disk(site.home):
        site.undo(numbers[0])
        time.sleep(20)
        assert site.look(numbers[2]) == "rolling_out", "a held change did not stay where it was"
        site.undo(numbers[2])
        time.sleep(1.5)
        with site.daemon_away():
            site.world.kill()
    site.world.up()
    site.until(numbers[2])
    assert site.ships[numbers[2]].cause == "person", "an order was lost with the full disk"
    return 0


@contextlib.contextmanager
def _full_disk(home):
    """Every block of the home is taken in here."""
    ballast = home / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for block in (1 << 24, 1 << 12, 1):  # by the last byte, whoever else writes meanwhile
            with contextlib.suppress(OSError):
                while file.write(b"\0" * block):
                    pass
    try:
        yield
    finally:
        ballast.unlink()


def lock_store(site, _dice):
    """Another program holds the ledger for a minute: undo and verdict go ahead without it."""
    site.history()
    one, other, third = site.services
    numbers = [site.ship(one), site.ship(other, harmful=True), site.ship(third)]
    for number in numbers:
        site.until(number, "rolling_out", "restoring", "restored")
    with contextlib.closing(sqlite3.connect(site.home / "ledger.db", timeout=10)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        time.sleep(5)
        site.undo(numbers[0])
        time.sleep(LOCKED_S - 5)
        assert site.look(numbers[2]) in {"rolling_out", "verifying"}, "a healthy change was lost"
        holder.rollback()
    site.until(numbers[2], "verified")
    return 0


def reboot(site, _dice):
    """Every process ends at once, and `up` is typed again: first users, then changes."""
    site.history()
    one, other = site.services
    verified = site.ship(one)
    site.until(verified, "verified")
    numbers = [site.ship(one), site.ship(other)]
    for number in numbers:
        site.until(number, "rolling_out", "verifying")
    with site.daemon_away():
        began = time.monotonic()
        site.world.kill_everything()
        site.world.up()
        off_the_air_s = time.monotonic() - began
    for number in numbers:
        site.until(number)
    return _requests(site, off_the_air_s + 5)


def kill_all_sorts_briefly(site, dice):
    """What a test can do in half a minute: three daemons, and each other part once."""
    site.history()
    numbers = [site.ship(service) for service in site.services]
    for number in numbers:
        site.until(number, "rolling_out")
    parts = ["daemon"] * 3 + ["keeper", "supervisor", "Envoy"]
    dice.shuffle(parts)
    for part in parts:
        time.sleep(dice.uniform(0.0, 1.5))
        if part == "daemon":
            site.kill_daemon(away_s=dice.uniform(0.0, 1.5))
        else:
            site.kill(part)
    for number in numbers:
        site.undo(number)
    return _requests(site, UNSERVED_S["Envoy"])


def _requests(site, seconds):
    """How many requests all users send in so many seconds."""
    return round(seconds * PER_S * len(site.services))


def _kill(part):
    return partial(kill_part_in_each_phase, part=part)


BRIEF = Fault(("shop", "desk"), kill_all_sorts_briefly)
FAULTS = {
    "daemon killed": Fault(("shop", "desk", "mail"), kill_daemon_often),
    "keeper killed": Fault(("shop",), _kill("keeper")),
    "supervisor killed": Fault(("shop",), _kill("supervisor")),
    "Envoy killed": Fault(("shop",), _kill("Envoy")),
    "daemon frozen": Fault(("shop",), freeze_daemon),
    "daemon frozen beside a successor": Fault(("shop",), freeze_daemon_beside_successor),
    "disk full": Fault(("shop", "desk", "mail"), fill_disk, disk_bytes=900_000_000),
    "store locked": Fault(("shop", "desk", "mail"), lock_store),
    "reboot": Fault(("shop", "desk"), reboot),
}


def record(fault, seed):
    """Do a fault to a site of its own, and return what was recorded of it."""
    with contextlib.ExitStack() as stack:
        world = World()
        stack.callback(shutil.rmtree, world.home, ignore_errors=True)
        if fault.disk_bytes:
            stack.enter_context(_small_disk(world.home, fault.disk_bytes))
        stack.callback(world.end)
        site = Site(*fault.services, world=world)
        stack.callback(site.end)
        may_fail = fault.act(site, Random(seed))
        return site.told(may_fail)


@contextlib.contextmanager
def _small_disk(home, size):
    """A disk of its own for a home; only root may make one."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", home], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", home], check=True)
