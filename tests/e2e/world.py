"""A whole world for end-to-end tests: a home, a real daemon, real repositories, real load."""

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ANA = "Ana <ana@example.org>"
BO = "Bo <bo@example.org>"
SERVER = Path(__file__).with_name("server.py")
LIMIT_S = 240.0

# On a busy machine the usual margin of a latency takes minutes to prove, so each has its own.
MANIFEST = """\
[service]
name = "{name}"
listen = "127.0.0.1:{port}"

[release]
run = ["{python}", "server.py"]
health = "/healthz"
metrics = "/metrics"
ready = "{ready}"
stop_timeout = "2s"
{release}

[checks.unit]
run = ["{python}", "-c", "import json; json.load(open('behaviour.json'))"]
{extra_check}
[metrics.errors]
margin_ratio = 3.0
margin_points = 5.0

[metrics.latency]
margin_ratio = 3.0
margin_points = 10.0

[metrics.checkout_errors]
kind = "ratio"
bad = 'checkout_total{{outcome="error"}}'
total = 'checkout_total'
margin_ratio = 3.0
margin_points = 5.0

[rollout]
steps = [0.1, 0.5]
warm_up = "{warm_up}"
{rollout}

[team]
members = ["{ana}", "{bo}"]
"""

DESCRIBED = {"rollout": "", "extra_check": "", "release": "", "ready": "10s", "warm_up": "2s"}

PORTS = iter(range(18000 + os.getpid() % 97 * 20, 32000))


def free_port():
    """A port that was free a moment ago, outside the ephemeral range, and never given before."""
    for port in PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def wait_for(condition, what, limit_s=LIMIT_S, every_s=0.2):
    """Look again and again until the condition gives something true."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(every_s)
    raise AssertionError(f"not within {limit_s:.0f} s: {what}")


class Refusal(Exception):  # noqa: N818 -- a refusal is an answer
    """The API said no."""

    def __init__(self, status, problem):
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem


class World:
    """One home with its daemon, and everything that was started in it."""

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix="sf-", dir="/tmp"))
        self.repos = Path(tempfile.mkdtemp(prefix="sf-repos-", dir="/tmp"))
        self.daemon = None
        self.tokens = {}
        self.environment = {**os.environ, "SUREFOOT_HOME": str(self.home)}

    # --- the daemon ------------------------------------------------------------------------------

    def up(self):
        """Start the daemon and wait until it answers."""
        log = (self.home / "daemon.log").open("ab")
        self.daemon = subprocess.Popen(
            [sys.executable, "-m", "surefoot", "up", "--foreground"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        try:
            wait_for(self._answers, "the daemon answers", 40)
        except AssertionError:
            print((self.home / "daemon.log").read_text()[-8000:])
            raise
        self.tokens.setdefault("owner", (self.home / "token").read_text().strip())
        for person in (ANA, BO):
            if person not in self.tokens:
                name, _, email = person.rstrip(">").partition(" <")
                given = self.post("/v1/tokens", {"name": name, "email": email})
                self.tokens[person] = given["secret"]

    def _answers(self):
        if self.daemon.poll() is not None:
            raise AssertionError((self.home / "daemon.log").read_text()[-8000:])
        try:
            holder = json.loads((self.home / "daemon.json").read_text())
            if holder["pid"] != self.daemon.pid:
                return False
            self.tokens["owner"] = (self.home / "token").read_text().strip()
            return self.get("/v1/health")
        except (OSError, ValueError, Refusal):
            return False

    def kill(self):
        """kill -9, as a machine would."""
        self.daemon.kill()
        self.daemon.wait()

    def kill_everything(self):
        """kill -9 of every process of this home, as a power cut would."""
        if self.daemon and self.daemon.poll() is None:
            self.kill()
        marker = str(self.home).encode()
        for _ in range(5):
            found = [pid for pid in self.pids() if marker in self._facts(pid)]
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not found:
                break
            time.sleep(0.2)

    def end(self):
        """End everything that runs under this home, and remove it."""
        self.kill_everything()
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.repos, ignore_errors=True)

    def pids(self):
        """Every process of this machine."""
        return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]

    def _facts(self, pid):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            folder = str(Path(f"/proc/{pid}/cwd").readlink()).encode()
            return command + b" " + folder if pid != os.getpid() else b""
        return b""

    # --- the API ---------------------------------------------------------------------------------

    def call(self, method, path, body=None, person="owner"):
        """One request; raises `Refusal` on anything but success."""
        address = json.loads((self.home / "daemon.json").read_text())["address"]
        connection = http.client.HTTPConnection(address, timeout=30)
        headers = {"Authorization": f"Bearer {self.tokens[person]}"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body)
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise Refusal(response.status, json.loads(text))
        return json.loads(text) if text else None

    def get(self, path, person="owner"):
        """Read something."""
        return self.call("GET", path, person=person)

    def post(self, path, body, person="owner"):
        """Order something."""
        return self.call("POST", path, body, person)

    def cli(self, *arguments, folder=None, person=None):
        """The command line, as a user types it."""
        environment = dict(self.environment)
        if person:
            environment["SUREFOOT_TOKEN"] = self.tokens[person]
        return subprocess.run(
            [sys.executable, "-m", "surefoot", *arguments],
            cwd=folder or self.repos,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    # --- services --------------------------------------------------------------------------------

    def service(self, name, *, inside="", **described):
        """A service in a repository of its own, or in a folder `inside/name` of a common one.

        What `described` says beyond keys of `write_manifest` is how it behaves.
        """
        service = Service(self, name, inside)
        written = {
            key: described.pop(key) for key in list(described) if key in {"declared", *DESCRIBED}
        }
        service.write_manifest(**written)
        behaviour = described
        service.commit("the service as it runs today", **behaviour)
        return service


class Service:
    """A service in a real repository."""

    def __init__(self, world, name, inside=""):
        self.world = world
        self.name = name
        self.port = free_port()
        self.root = world.repos / (inside or name)
        self.below = name if inside else ""
        self.folder = self.root / self.below
        self.folder.mkdir(parents=True)
        if not (self.root / ".git").exists():
            self.git("init", "--quiet", "--initial-branch=main", str(self.root))
        shutil.copy(SERVER, self.folder / "server.py")

    def git(self, *arguments, author=ANA):
        """Git, as this author."""
        name, _, email = author.rstrip(">").partition(" <")
        identity = ["-c", f"user.name={name}", "-c", f"user.email={email}"]
        done = subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write_manifest(self, *, declared=True, **wanted):
        """`surefoot.toml`, with what the test needs; see DESCRIBED."""
        text = MANIFEST.format(
            name=self.name,
            port=self.port,
            python=sys.executable,
            ana=ANA,
            bo=BO,
            **{**DESCRIBED, **wanted},
        )
        if not declared:  # no metrics and margins of its own, and the default steps
            head, rest = text.split("[metrics.errors]")
            text = head + "[team]" + rest.split("[team]")[1]
        (self.folder / "surefoot.toml").write_text(text)
        self.manifest = text

    def commit(self, subject, *, author=ANA, **behaviour):
        """A commit that changes how the service behaves; returns its hash."""
        (self.folder / "behaviour.json").write_text(json.dumps(behaviour))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject, author=author)
        return self.git("rev-parse", "HEAD")

    def register(self):
        """Make it known."""
        body = {"source": str(self.root), "folder": self.below, "manifest": self.manifest}
        return self.world.post("/v1/services", body)

    def adopt(self, *, wait=True):
        """Take the present revision in as release 0, and wait until it serves."""
        self.register()
        body = {"revision": self.git("rev-parse", "HEAD"), "adopt": True}
        self.world.post(f"/v1/services/{self.name}/changes", body, ANA)
        if wait:
            self.until(0, "adopted", 60)

    def ship(self, revision=None, *, person=ANA, approve=True, **order):
        """Ship, and let the other member approve; returns the number."""
        body = {"revision": revision or self.git("rev-parse", "HEAD"), **order}
        number = self.world.post(f"/v1/services/{self.name}/changes", body, person)["number"]
        if approve:
            self.world.post(f"/v1/changes/{number}/approve", {}, BO)
        return number

    def roll_out(self, load):
        """Users, a history, and a harmless change before them: the load, and its number."""
        self.adopt()
        users = load(self.port)
        self.history()
        self.commit("one", seconds=0.004)
        number = self.ship()
        self.until(number, "rolling_out")
        return users, number

    def change(self, number):
        """The status of a change."""
        return self.world.get(f"/v1/changes/{number}?service={self.name}")

    def until(self, number, phases, limit_s=LIMIT_S):
        """Wait until the change is in one of the phases; returns its status.

        In one in which users meet it, until they do: the state is written down before its routes.
        """
        wanted = {phases} if isinstance(phases, str) else set(phases)
        final = {"rejected", "withdrawn", "restored", "applied"}
        last = {}

        def there():
            status = self.change(number)
            last.update(status)
            met = status["phase"] not in {"rolling_out", "verifying"} or status["share"] > 0
            if status["phase"] in wanted and met:
                return status
            assert status["phase"] not in final, status["sentence"]
            return None

        try:
            return wait_for(there, f"{self.name} {number} is {wanted}", limit_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; last: {last.get('sentence')}") from None

    def ports(self, release):
        """Where the instances of a release listen; empty when it does not run."""
        state = self.world.home / "running" / self.name / str(release) / "state.json"
        return json.loads(state.read_text())["ports"] if state.exists() else []

    def ask(self, path, headers=None, *, method="GET", body=None, port=None):
        """One request of a user, or of an instance by its port: its answer, with `text` read."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=90)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            answer.text = answer.read().decode()
        finally:
            connection.close()
        return answer

    def ledger(self):
        """The entries of this service, oldest first."""
        path = f"/v1/ledger?after=0&limit=1000&service={self.name}"
        return self.world.get(path)["entries"]

    def history(self, seconds=60):
        """Wait until the live release has been watched long enough."""
        wait_for(
            lambda: self.world.get(f"/v1/services/{self.name}")["watched_s"] >= seconds,
            f"{seconds} s of history",
            seconds + 60,
        )


class Answer(NamedTuple):
    """What a user got: epoch second of the asking, seconds, status or "none", who answered."""

    asked: float
    seconds: float
    status: str
    release: str


class Site:
    """Services side by side, and their users: in a world that others share, or one of its own."""

    def __init__(self, world=None):
        self.world = world or World()
        self.services = {}
        self.users = {}

    def add(self, name, *, per_s=0, **described):
        """A service that will be adopted, with so many requests a second.

        All start at once, so each has its time to.
        """
        self.services[name] = self.world.service(name, **{"ready": "60s", **described})
        if per_s:
            self.users[name] = per_s

    def open(self, seconds=0):
        """Adopt all of them at once, and let their live releases be watched for so long."""
        for service in self.services.values():
            service.adopt(wait=False)
        for service in self.services.values():
            service.until(0, "adopted", 120)
        for name, per_s in self.users.items():
            self.users[name] = Load(self.services[name].port, per_s)
        if seconds:
            for service in self.services.values():
                service.history(seconds)

    def __getitem__(self, name):
        return self.services[name]

    def leave(self):
        """No users any more."""
        for one in self.users.values():
            if isinstance(one, Load) and one.process.poll() is None:
                one.end()

    def end(self):
        """No users, no services, no world."""
        self.leave()
        self.world.end()


class Load:
    """Open-loop requests at an even pace, in a process of its own; nothing is asked twice."""

    def __init__(self, port, per_s=80, path="/"):
        self.file = Path(tempfile.mkstemp(prefix="sf-load-")[1])
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(port), str(per_s), path, str(self.file)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def answers(self):
        """Every answer so far, but those of the last second."""
        whole, _, _ = self.file.read_text().rpartition("\n")
        return [Answer(*json.loads(line)) for line in whole.splitlines()]

    def counts(self):
        """Answers by status so far; `none` are requests that got no answer."""
        return Counter(one.status for one in self.answers())

    def stop(self):
        """Stop asking; what was answered can still be read."""
        self.process.terminate()
        self.process.wait()

    def end(self):
        """Stop asking; returns the counts."""
        self.stop()
        counts = self.counts()
        self.file.unlink()
        return counts


async def _one(port, path, customer, pool, answers):
    """One request on a kept connection, or a new one."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: shop.example\r\nX-Customer: {customer}\r\n\r\n"
    ).encode()
    asked, status, fields, writer = time.time(), "none", {}, None
    try:
        reader, writer = pool.pop() if pool else await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        first, *lines = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).split(b"\r\n")
        fields = dict(line.decode().lower().split(": ", 1) for line in lines if line)
        await reader.readexactly(int(fields.get("content-length", 0)))
        status = first.split(b" ", 2)[1].decode()
        if fields.get("connection") == "close":
            writer.close()
        else:
            pool.append((reader, writer))
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        if writer:
            writer.close()
    answers.append(Answer(asked, time.time() - asked, status, fields.get("release", "")))


async def _generate(port, per_s, path, file):
    answers, pool, running = [], [], set()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    start = loop.time()
    parent = os.getppid()
    sent = 0
    while not stop.is_set() and os.getppid() == parent:
        due = int((loop.time() - start) * per_s)
        for customer in range(sent, due):
            task = asyncio.create_task(_one(port, path, customer % 50, pool, answers))
            running.add(task)
            task.add_done_callback(running.discard)
        if due // per_s != sent // per_s:
            _write(file, answers)
        sent = due
        await asyncio.sleep(0.01)
    await asyncio.gather(*running)
    _write(file, answers)


def _write(file, answers):
    with file.open("a") as opened:
        opened.write("".join(f"{json.dumps(one)}\n" for one in answers))
    answers.clear()


if __name__ == "__main__":
    asyncio.run(_generate(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])))
