"""An installation to do harm to, and the record of what happened in it meanwhile."""

import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from checker import Away, Held, Ship, Told
from world import ANA, BO, Load, Refusal, wait_for

from surefoot.adapters.processes import procfs

PER_S = 60
LOOK_S = 0.25
ENDED = {"verified", "accepted", "restored", "withdrawn", "rejected"}
LOCKS = {
    "keeper": "keeper/keeper.lock",
    "Envoy": "envoy/envoy.lock",
    "supervisor": "supervisor/supervisord.lock",
}
SOCKETS = {"admin.sock", "keeper.sock", "supervisord.sock"}
UNREACHABLE = (OSError, http.client.HTTPException, ValueError)
KINDS = {"supervisor.supervisord", "surefoot.keeper", "--config-path"}  # who runs, by its argv
SOAK_S = 5.0


class Site:
    """Real parts, services with users, and everything that the checker wants to know."""

    def __init__(self, *names, world):
        self.world = world
        self.ships = {}
        self.away = []
        self.held = []
        self.world.up()
        self.services = [
            self.world.service(name, ready="60s", rollout=f'soak = "{SOAK_S:g}s"') for name in names
        ]
        for service in self.services:
            service.register()
        threads = [threading.Thread(target=service.adopt) for service in self.services]
        for one in threads:
            one.start()
        self.users = {}
        for service in self.services:
            wait_for(lambda: _answers(service.port), f"{service.name} answers", every_s=0.05)  # noqa: B023 -- called at once
            self.users[service.name] = Load(service.port, PER_S)
        for one in threads:
            one.join()
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch_leases)
        self._watching.start()

    @property
    def home(self):
        return self.world.home

    def history(self):
        """Wait until every live release has been watched long enough for the next to begin."""
        for service in self.services:
            service.history()

    # --- the parts -------------------------------------------------------------------------------

    def pid(self, part):
        """The process that does a part's work now."""
        if part == "daemon":
            return self.world.daemon.pid
        found = wait_for(lambda: procfs.holder(self.home / LOCKS[part]), f"a running {part}", 20)
        return found.pid

    def kill(self, part, *, wait=True):
        """kill -9 one of the parts that are kept alive, and wait until another has its place."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGKILL)
        if wait:
            wait_for(lambda: self.pid(part) != pid, f"another {part}", 30, every_s=0.02)

    def kill_daemon(self, away_s):
        """kill -9 the daemon, and start another one after so many seconds."""
        with self.daemon_away():
            self.world.kill()
            time.sleep(away_s)
            self.world.up()

    @contextlib.contextmanager
    def daemon_away(self):
        """No daemon does its work in here."""
        begin = time.time()
        yield
        self.away.append(Away(begin, time.time()))

    # --- people ----------------------------------------------------------------------------------

    def patiently(self, call):
        """Do it as soon as there is a daemon to do it."""

        def tried():
            try:
                return (call(),)
            except UNREACHABLE:
                return None
            except Refusal as refusal:
                if refusal.status < 500:
                    raise
                return None

        (answer,) = wait_for(tried, "an answer of the daemon", 120)
        return answer

    def ship(self, service, *, harmful=False, approve=True):
        """Commit something, ship it and approve it, whatever it takes. Returns its number."""
        fixes = [one.number for one in self.of(service) if one.cause == "harm"][-1:]
        behaviour = {"errors": 0.4} if harmful else {"seconds": 0.004}
        revision = service.commit(f"change {len(self.ships) + 1}", **behaviour)
        body = {"revision": revision, **({"fixes": fixes[0]} if fixes else {})}
        path = f"/v1/services/{service.name}/changes"

        def ordered():
            """An order whose answer was lost may have been taken all the same."""
            log = self.world.get(f"/v1/changes?service={service.name}")["changes"]
            known = [one["number"] for one in log if one["revision"] == revision]
            return known[0] if known else self.world.post(path, body, ANA)["number"]

        number = self.patiently(ordered)
        self.ships[number] = Ship(service.name, number, "proposed", harmful=harmful)
        if approve:
            self.approve(number)
        return number

    def approve(self, number):
        """The other member says yes."""
        self.patiently(lambda: self.world.post(f"/v1/changes/{number}/approve", {}, BO))

    def order(self, service, what):
        """`hold` or `resume` a service."""
        path = f"/v1/services/{service.name}/{what}"
        self.patiently(lambda: self.world.post(path, {"because": "the crash harness"}))

    def undo(self, number):
        """Order it undone; the moment of asking is on record."""
        asked = time.time()
        body = {"because": "second thoughts"}
        self.patiently(lambda: self.world.post(f"/v1/changes/{number}/undo", body, BO))
        self.ships[number] = replace(self.ships[number], undone=asked)

    def of(self, service):
        """The changes of a service, oldest first."""
        return [one for one in self.ships.values() if one.service == service.name]

    def look(self, number):
        """The phase of a change, and what else the API says of it now."""
        ship = self.ships[number]
        said = self.patiently(
            lambda: self.world.get(f"/v1/changes/{number}?service={ship.service}")
        )
        fields = {key: said[key] for key in ("phase", "cause", "verdict_at")}
        self.ships[number] = replace(ship, **fields)
        return said["phase"]

    def until(self, number, *phases, limit_s=240):
        """Wait until a change is in one of these phases; says where it is if it never comes."""
        wanted = set(phases) or ENDED

        def there():
            phase = self.look(number)
            assert phase in wanted or phase not in ENDED, f"it never can be {wanted}"
            return phase in wanted

        try:
            wait_for(there, f"{number} in {wanted}", limit_s, every_s=0.1)
        except AssertionError as error:
            said = self.patiently(lambda: self.world.get(f"/v1/changes/{number}"))
            raise AssertionError(f"{error}: {said['sentence']}") from None

    def until_met(self, number):
        """Wait until users meet a change: its state is written down before its routes."""
        wait_for(
            lambda: any(one.change == number for one in self._leases()),
            f"users meet {number}",
            30,
            every_s=0.05,
        )

    # --- the record ------------------------------------------------------------------------------

    def _watch_leases(self):
        while not self._ended.wait(LOOK_S):
            with contextlib.suppress(*UNREACHABLE):
                self.held += self._leases()

    def _leases(self):
        """What the keeper says of exposed changes, in the clock in which its leases run."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(2)
            asked.connect(str(self.home / "keeper" / "keeper.sock"))
            asked.sendall(b'{"op": "state", "service": null}\n')
            said = asked.makefile("rb").readline()
        now, boottime = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
        return [
            Held(now, service, order["change"], order["deadline"] - boottime)
            for service, order in json.loads(said)["services"].items()
            if order["change"] is not None and order["routes"] != order["fallback"]
        ]

    def told(self, may_fail=0):
        """Everything that was recorded, once all changes have ended and the soak is over."""
        for number in self.ships:
            self.until(number)
        left = self._left()
        for users in self.users.values():
            users.stop()
        return Told(
            ships=tuple(self.ships.values()),
            entries=tuple(self._ledger()),
            answers={name: tuple(users.answers()) for name, users in self.users.items()},
            held=tuple(self.held),
            away=tuple(self.away),
            left=left,
            may_fail=may_fail,
        )

    def _ledger(self):
        entries, after = [], 0
        while page := self.patiently(
            lambda: self.world.get(f"/v1/ledger?after={after}&limit=1000")["entries"]  # noqa: B023 -- called at once
        ):
            entries += page
            after = page[-1]["seq"]
        return entries

    def end(self):
        """Nobody asks anything any more, and nobody looks at leases."""
        self._ended.set()
        self._watching.join()
        for users in self.users.values():
            users.end()

    # --- what is left behind ---------------------------------------------------------------------

    def _left(self):
        """What is still there half a minute after the last soak, and should not be."""
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self._leftovers(), "nothing left", SOAK_S + 30)
        return tuple(self._leftovers())

    def _leftovers(self):
        live = {}
        for service in self.services:
            said = self.patiently(lambda: self.world.get(f"/v1/services/{service.name}"))  # noqa: B023 -- called at once
            live[service.name] = said["live"]
        return [*self._processes(live), *self._sockets(), *self._staged()]

    def _processes(self, live):
        """Whoever runs for this home: each part once, and one shim at most that waits for each."""
        wanted = Counter(("daemon", "supervisor.supervisord", "surefoot.keeper", "--config-path"))
        wanted.update(f"{service} {number}" for service, number in live.items())
        kept = (self.home / "supervisor" / "conf.d").glob("*.conf")
        wanted.update(f"programs/{path.stem}.json" for path in kept)
        found = Counter(filter(None, map(self._kind, self.world.pids())))
        return [f"{count} processes {kind}" for kind, count in (found - wanted).items()]

    def _kind(self, pid):
        """What a process of this home does; None for everybody else's."""
        process = Path(f"/proc/{pid}")
        try:
            argv = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            where = (process / "cwd").readlink()
            if "--foreground" in argv:
                mine = f"SUREFOOT_HOME={self.home}".encode()
                return "daemon" if mine in (process / "environ").read_bytes().split(b"\0") else None
        except OSError:  # it has ended
            return None
        if self.home not in (where, *where.parents):
            return None
        if "releases" in where.parts:
            at = where.parts.index("releases")
            return f"{where.parts[at - 1]} {where.parts[at + 1]}"
        named = [one for one in argv if one in KINDS or one.startswith("programs/")]
        return named[0] if named else " ".join(argv)

    def _sockets(self):
        found = {path.name for path in self.home.rglob("*.sock")} - SOCKETS
        return [f"the socket {name}" for name in sorted(found)]

    def _staged(self):
        envoy = self.home / "envoy"
        for folder in (envoy / "rds", envoy / "staging"):
            stages = sorted(path.name for path in folder.glob("stage.*"))
            if len(stages) != 1:
                yield f"staging folders {', '.join(stages)} in {folder.name}"
        services = {f"{service.name}.json" for service in self.services}
        for path in envoy.glob("*/stage.*/*"):
            if path.parent.parent.name != "rds" or path.name not in services:
                yield f"{path.name} in {path.parent.name}"
        for path in self.home.rglob("*.new"):
            yield f"the half-written {path.name}"


def _answers(port):
    """Whether somebody answers users at this port."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as asked:
        try:
            asked.request("GET", "/")
            return asked.getresponse().status == 200
        except UNREACHABLE:
            return False
