"""Releases run as real processes: ready means that they answer by themselves, looks are facts."""

import asyncio
import os
import re
import signal
import socket
import urllib.request

import pytest
from process_helpers import SERVICE, script

from surefoot.adapters.processes import ProcessTarget, listeners, procfs
from surefoot.adapters.processes.files import ends, trim
from surefoot.adapters.processes.free_ports import choose_ports, default_ports
from surefoot.domain.errors import OutsideFailed, Refused
from surefoot.domain.manifest import Address

pytest_plugins = ("process_world",)


def asked(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        return answer.read().decode()


async def up(target, spec):
    """Start a release, wait until it is ready, and return its instances."""
    await target.start(spec)
    finished = await target.ready(spec)
    assert finished.ok, finished.said
    return await target.look(spec.service, spec.release)


async def test_starts_and_ends(target, release):
    """A release of two instances becomes ready, is seen as it is, and ends without a rest."""
    spec = release(instances=2)
    seen = await up(target, spec)
    assert [fact.index for fact in seen] == [0, 1]
    assert len({fact.port for fact in seen}) == 2
    assert all(fact.listening and fact.started > 0 for fact in seen)
    assert all(asked(fact.port) for fact in seen)
    assert await target.running("shop") == (1,)
    await target.stop("shop", 1)
    assert await target.running("shop") == ()
    assert await target.look("shop", 1) == ()
    assert not {fact.pid for fact in seen} & procfs.groups()


async def test_an_upstream_is_neither_started_nor_ended(target, release, tmp_path, programs, clock):
    """What somebody else runs is seen to listen, by any daemon, and outlives its release."""
    (theirs,) = await up(target, release(service="theirs"))
    spec = release(upstream=Address("127.0.0.1", theirs.port), argv=("/nowhere",))
    (seen,) = await up(target, spec)
    assert (seen.port, seen.listening, seen.up, seen.pid) == (theirs.port, True, True, None)
    another = ProcessTarget(tmp_path, programs, clock)
    assert await another.look("shop", 1) == (seen,)
    await another.stop("shop", 1)
    assert await target.running("shop") == ()
    assert asked(theirs.port)


async def test_an_upstream_that_does_not_answer_is_not_ready(target, release):
    """It is said of which port nothing answers."""
    (theirs,) = await up(target, release(service="theirs"))
    await target.stop("theirs", 1)
    spec = release(upstream=Address("127.0.0.1", theirs.port), ready_s=0.5)
    (seen,) = await target.start(spec)
    assert not seen.up
    finished = await target.ready(spec)
    assert not finished.ok
    assert str(theirs.port) in finished.said


async def test_exact_environment(target, release, secrets):
    """A release gets its own names, its settings, its secrets and four of the host's, no more."""
    spec = release(environment={"COLOUR": "blue", "PORT": "9"}, env_file=str(secrets))
    (fact,) = await up(target, spec)
    got = dict(line.split("=", 1) for line in asked(fact.port).splitlines())
    host = {name: os.environ[name] for name in ("PATH", "LANG", "TZ", "HOME") if name in os.environ}
    got.pop("LC_CTYPE", None)  # set by the Python of the service for itself
    assert got == host | {
        "PORT": str(fact.port),
        "SUREFOOT_RELEASE": "1",
        "SUREFOOT_SERVICE": "shop",
        "COLOUR": "blue",
        "TOKEN": "s3cr3t-value",
    }


async def test_killed_instance_is_a_new_process(target, release):
    """An instance that was killed and restarted is told by pid and start."""
    (before,) = await up(target, release())
    os.kill(before.pid, signal.SIGKILL)

    async def again():
        (fact,) = await target.look("shop", 1)
        return fact

    fact = await again()
    while not fact.listening or fact.pid == before.pid:
        fact = await again()
    assert fact.port == before.port
    assert fact.started >= before.started
    assert (fact.pid, fact.started) != (before.pid, before.started)


async def test_another_daemon_finds_it(target, release, tmp_path, programs, clock):
    """A new control plane finds the release on its port, the same process, the same start."""
    before = await up(target, release())
    successor = ProcessTarget(tmp_path, programs, clock)
    assert await successor.start(release()) == before
    assert (await successor.ready(release())).ok
    await successor.stop("shop", 1)
    assert await target.look("shop", 1) == ()


async def test_ends_at_start(target, release, tmp_path):
    """A release that ends at start fails at once, with its exit status and its last words."""
    argv = script(tmp_path, "fails.py", "print('no database', flush=True)\nraise SystemExit(3)\n")
    spec = release(argv=argv, ready_s=600.0)
    await target.start(spec)
    finished = await target.ready(spec)
    assert not finished.ok
    assert finished.code == 3
    assert re.search(r"Instance 0 ended before it was ready \(exit status 3\)", finished.said)
    assert "no database" in finished.said


async def test_killed_by_a_signal_at_start(target, release, tmp_path):
    """The signal that ended a release at start is named."""
    argv = script(tmp_path, "dies.py", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    spec = release(argv=argv)
    await target.start(spec)
    finished = await target.ready(spec)
    assert finished.code == -signal.SIGSEGV
    assert "SIGSEGV" in finished.said


async def test_program_that_is_not_there(target, release):
    """A command that does not exist is named with the place where it was looked for."""
    spec = release(argv=("no-such-program", "--serve"))
    await target.start(spec)
    finished = await target.ready(spec)
    assert not finished.ok
    assert "cannot run 'no-such-program'" in finished.said


async def test_never_listens(target, release, tmp_path):
    """A release that never listens on PORT is said to do just that, at its time limit."""
    argv = script(tmp_path, "idle.py", "import time\nprint('idle', flush=True)\ntime.sleep(600)\n")
    spec = release(argv=argv, ready_s=0.8)
    await target.start(spec)
    finished = await target.ready(spec)
    assert (finished.ok, finished.code) == (False, None)
    assert "does not listen on port" in finished.said
    assert "idle" in finished.said


async def test_never_healthy(target, release):
    """A release whose health path answers 503 is not ready, and the answer is named."""
    spec = release(environment={"STATUS": "503"}, ready_s=1.5)
    await target.start(spec)
    finished = await target.ready(spec)
    assert not finished.ok
    assert "/healthz answers 503" in finished.said


@pytest.mark.parametrize("reuse", [False, True])
async def test_stolen_port(target, release, tmp_path, reuse):
    """A port that somebody else took before the release could is exchanged, not blamed."""
    wait = """
    import os, time
    while not os.path.exists("go"):
        time.sleep(0.01)
    """
    argv = script(tmp_path, "late.py", wait + SERVICE + "    server.serve_forever()\n")
    spec = release(argv=argv, environment={"REUSE": "yes"} if reuse else {})
    (before,) = await target.start(spec)
    with socket.socket() as thief:
        if reuse:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        thief.bind(("127.0.0.1", before.port))
        thief.listen()
        (tmp_path / "go").touch()
        (fact,) = await up(target, spec)
    assert fact.port != before.port
    assert fact.listening


async def test_users_notice_nothing_of_the_supervisors_death(
    target, release, programs, tmp_path, clock
):
    """While the supervisor is killed and started again every request is answered by the same."""
    (before,) = await up(target, release())
    stopping = False
    answers: list[bool] = []

    async def users():
        while not stopping:
            answers.append(bool(await asyncio.to_thread(asked, before.port)))

    asking = asyncio.create_task(users())
    lock = tmp_path / "supervisor" / "supervisord.lock"
    os.kill(procfs.holder(lock).pid, signal.SIGKILL)
    while procfs.holder(lock) is not None:
        await clock.sleep(0.01)
    seen = len(answers)
    while len(answers) < seen + 20:  # each writes a line into the log
        assert not asking.done()
        await clock.sleep(0.01)
    await programs.start()
    stopping = True
    await asking
    assert all(answers)
    assert await target.look("shop", 1) == (before,)


async def test_worker_listens(target, release, tmp_path):
    """A socket that a worker of the instance's group holds alone counts as the instance's."""
    text = SERVICE + "    if os.fork():\n        server.socket.close()\n        signal.pause()\n"
    argv = script(tmp_path, "forks.py", text + "    server.serve_forever()\n")
    (fact,) = await up(target, release(argv=argv))
    assert fact.listening
    await target.stop("shop", 1)
    assert fact.pid not in procfs.groups()


@pytest.mark.parametrize(
    ("mode", "text", "says"),
    [
        (0o644, "TOKEN=s3cr3t\n", "can be read by others"),
        (0o600, "TOKEN=s3cr3t\nfoo bar\n", "line 2: not KEY=VALUE"),
    ],
)
async def test_bad_env_file(target, release, secrets, mode, text, says):
    """A file of secrets that others may read, or that is malformed, is refused with the cure."""
    secrets.write_text(text, encoding="utf-8")
    secrets.chmod(mode)
    spec = release(env_file=str(secrets))
    await target.start(spec)
    finished = await target.ready(spec)
    assert not finished.ok
    assert says in finished.said
    assert "s3cr3t" not in finished.said


async def test_secrets_are_never_said(target, release, secrets, tmp_path):
    """Output keeps its sense and loses the values of the env_file, and survives odd bytes."""
    argv = script(
        tmp_path,
        "blabs.py",
        """
        import os
        os.write(1, b"token is " + os.environ["TOKEN"].encode() + b" \\xff\\n")
        raise SystemExit(1)
        """,
    )
    spec = release(argv=argv, env_file=str(secrets))
    await target.start(spec)
    finished = await target.ready(spec)
    assert "token is *** \ufffd" in finished.said
    await target.stop("shop", 1)
    (said,) = await target.said("shop", 1, 5)
    assert "token is *** \ufffd" in said.last
    secrets.unlink()
    (said,) = await target.said("shop", 1, 5)
    assert said.last == ()


async def test_stop_kills_at_once_when_told(target, release, tmp_path, clock):
    """A release that ignores SIGTERM is given its stop timeout, or none with `kill`."""
    text = (
        SERVICE + "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    server.serve_forever()\n"
    )
    argv = script(tmp_path, "stubborn.py", text)
    (patient,) = await up(target, release(argv=argv, stop_timeout_s=1.0))
    began = clock.boottime()
    await target.stop("shop", 1)
    assert clock.boottime() - began >= 1.0
    (other,) = await up(target, release(release=2, argv=argv, stop_timeout_s=600.0))
    await target.stop("shop", 2, kill=True)
    assert not {patient.pid, other.pid} & procfs.groups()


async def test_names_are_validated(target, release):
    """A service whose name could leave its folder is refused."""
    with pytest.raises(Refused, match="cannot name a service"):
        await target.start(release(service="../etc"))


def test_ports_are_outside_the_ephemeral_range():
    """Ports come from outside what the kernel lends, free, and each only once."""
    ports = choose_ports(default_ports(), 3, (), "here")
    assert len(set(ports)) == 3
    assert not set(ports) & set(procfs.ephemeral_ports())
    assert not set(choose_ports(default_ports(), 3, ports, "here")) & set(ports)


def test_no_free_port_is_said():
    """A range whose ports are all taken is named in the error."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(OutsideFailed, match="not 1 free ports"):
            choose_ports(range(port, port + 1), 1, (), "here")


async def test_a_release_begins_with_an_empty_log(target, release, tmp_path):
    """What a release wrote stays until it is started again, and only of the last five."""
    argv = script(tmp_path, "fails.py", "raise SystemExit('not today')\n")
    for number in range(1, 8):
        await target.start(release(argv=argv, release=number))
        assert not (await target.ready(release(argv=argv, release=number))).ok
        await target.stop("shop", number)
    assert await target.said("shop", 2, 5) == ()
    (said,) = await target.said("shop", 3, 5)
    assert "not today" in said.last
    await up(target, release(release=3))
    (said,) = await target.said("shop", 3, 5)
    assert "not today" not in said.last


async def test_how_a_release_began_is_said_however_much_it_wrote_since(
    target, release, secrets, tmp_path
):
    """Each instance's first lines and its last ones without secrets, also when it has ended."""
    argv = script(
        tmp_path,
        "tells.py",
        SERVICE
        + """
    print("hello", os.environ["TOKEN"], flush=True)
    for number in range(30_000):
        print("line", number)
    sys.stdout.flush()
    server.serve_forever()
""",
    )
    await up(target, release(argv=argv, instances=2, env_file=str(secrets)))
    for said in await target.said("shop", 1, 2_000):
        assert said.first[:3] == ("serving", "hello ***", "line 0")
        assert "line 29999" in said.last
        assert (len(said.first), len(said.last)) == (2_000, 2_000)
    await target.stop("shop", 1)
    said, other = await target.said("shop", 1, 3)
    assert (said.instance, other.instance) == (0, 1)
    assert said.first == ("serving", "hello ***", "line 0")
    assert len(said.last) == 3


@pytest.mark.parametrize("trims", [0, 1, 3])
def test_a_long_log_is_told_by_both_ends_once(tmp_path, trims):
    """Whole lines, none of them twice, whatever was set aside or thrown away meanwhile."""
    log, wrote = tmp_path / "0.log", []
    for part in range(trims + 1):
        lines = [f"line {part} {number} é" for number in range(9_000)]
        with log.open("a") as writer:
            writer.write("".join(f"{line}\n" for line in lines))
        wrote += lines
        if part < trims:
            trim(log, size=100)
    for last in (50, 9_000, 120_000):
        first, end = ends(log, last)
        assert first[0] == wrote[0]
        assert first == wrote[: len(first)]
        assert end == wrote[-len(end) :]
        assert len(first) + len(end) < len(wrote)
        assert last - 60 < len("".join(f"{line}\n" for line in end).encode()) <= last


def test_a_log_that_grew_is_set_aside(tmp_path):
    """A writer goes on in the same file, and what it wrote before stands beside it."""
    log = tmp_path / "0.log"
    with log.open("a") as writer:
        writer.write("before\n")
        writer.flush()
        trim(log, size=100)
        assert log.read_text() == "before\n"
        trim(log, size=3)
        writer.write("after\n")
    assert log.read_text() == "after\n"
    assert (tmp_path / "0.log.1").read_text() == "before\n"


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_listeners_are_found(family, host):
    """Only sockets that listen are found, for the port that is meant, in either way to ask."""
    with socket.socket(family) as server, socket.socket(family) as bound:
        server.bind((host, 0))
        server.listen()
        bound.bind((host, 0))
        port, inode = server.getsockname()[1], os.fstat(server.fileno()).st_ino
        with socket.create_connection(server.getsockname()[:2]):
            assert listeners.listening_inodes(port) == set(listeners._read(port)) == {inode}
        assert listeners.listening_inodes(bound.getsockname()[1]) == set()
    assert listeners.listening_inodes(port) == set()


async def test_who_holds_an_address_is_said(target):
    """By process and command; a free address is nobody's, and so is one beside it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        held = await target.in_the_way(Address("127.0.0.1", port))
        assert held is not None
        assert held.startswith(f"process {os.getpid()} (")
        assert await target.in_the_way(Address("127.0.0.2", port)) is None
    assert await target.in_the_way(Address("127.0.0.1", port)) is None


async def test_the_log_of_a_release_that_nobody_looks_at_is_bounded_too(target, release):
    """A look at one release sets aside what another one of its service wrote, ended or warm."""
    await up(target, release(release=2))
    running = target._release("shop", 1)
    running.mkdir(parents=True)
    log = running / "0.log"
    log.write_bytes(b"")
    os.truncate(log, 20_000_001)
    await target.look("shop", 2)
    assert log.stat().st_size == 0
