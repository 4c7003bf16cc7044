"""What a service of a real team needs: its settings, its users' sessions, its odd processes."""

import http.client
import json
import os
import signal
import socket
import struct
import time
from collections import defaultdict
from pathlib import Path

import pytest
from world import BO, Refusal, Site, World, free_port, wait_for

pytestmark = pytest.mark.timeout(600)

SECRET = "correct-horse-battery-staple-4711"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All services of this module, adopted and watched for a minute."""
    secrets = tmp_path_factory.mktemp("etc") / "shop.env"
    secrets.touch(0o600)
    secrets.write_text(f"DATABASE_PASSWORD={SECRET}\n")
    made = Site()
    try:
        made.world.up()
        made.add(
            "settings",
            release=f'warm = ["/", "/catalogue"]\nenv = {{ GREETING = "hello" }}\n'
            f'env_file = "{secrets}"',
        )
        made.add("cookie", extra_check='[traffic]\nsticky = "cookie"')
        made.add("header", extra_check='[traffic]\nsticky = "header:X-User"')
        made.add("twin", per_s=60, release="instances = 2")
        made.add("inner", inside="mono")
        made.add("outer", inside="mono")
        made.add("proxied")
        made.add("odd")
        made.add("loud", per_s=20)
        made.open(60)
        yield made
    finally:
        made.end()


# --- what it is given --------------------------------------------------------------------------


def test_a_release_gets_its_settings_its_warm_up_and_its_secrets(site):
    """All of it before its first user; the secret is in no file and no answer of ours."""
    shop = site["settings"]
    shop.commit("one", seconds=0.004)
    number = shop.ship()
    shop.until(number, "rolling_out", 60)
    for release in (0, number):
        (port,) = shop.ports(release)
        told = json.loads(shop.ask("/environment", port=port).text)
        assert told["GREETING"] == "hello"
        assert told["DATABASE_PASSWORD"] == SECRET
        assert told["SUREFOOT_RELEASE"] == str(release)
        assert "SUREFOOT_HOME" not in told
    pages = [f"/v1/changes/{number}", "/v1/services", "/v1/ledger?after=0&limit=1000", "/v1/doctor"]
    assert SECRET not in json.dumps([site.world.get(page) for page in pages])
    holding = [file for file in files_below(site.world.home) if SECRET.encode() in content(file)]
    assert holding == []
    (port,) = shop.ports(number)
    assert {"/", "/catalogue"} <= set(json.loads(shop.ask("/asked", port=port).text))


def files_below(folder):
    """Every regular file."""
    return [one for one in folder.rglob("*") if one.is_file() and not one.is_symlink()]


def content(file):
    """What a file holds; nothing when it was removed meanwhile."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


# --- its users' sessions -----------------------------------------------------------------------


def met_by_cookie(shop, jar):
    """The release that a browser meets, which keeps its cookies."""
    answer = shop.ask("/release", {"Cookie": "; ".join(jar)} if jar else {})
    for cookie in answer.headers.get_all("Set-Cookie") or ():
        jar.append(cookie.partition(";")[0])
    return answer.text


def met_by_header(shop, user):
    """The release that a user meets whose requests carry their name."""
    return shop.ask("/release", {"X-User": user}).text


@pytest.mark.parametrize("sticky", ["cookie", "header"])
def test_a_user_stays_on_one_release_while_the_share_stands(site, sticky):
    """Whoever met a release meets it again; after an undo everybody is on the old one."""
    shop = site[sticky]
    shop.commit("one", seconds=0.004)
    number = shop.ship()
    shop.until(number, "rolling_out", 60)
    jars = [[] for _ in range(120)]
    meet = {
        "cookie": lambda n: met_by_cookie(shop, jars[n]),
        "header": lambda n: met_by_header(shop, f"user {n}"),
    }[sticky]
    met = defaultdict(set)
    for _ in range(4):
        for n in range(120):
            met[n].add(meet(n))
    assert {len(releases) for releases in met.values()} == {1}
    assert set.union(*met.values()) == {"0", str(number)}
    site.world.post(f"/v1/changes/{number}/undo", {"because": "seen"}, BO)
    shop.until(number, "restored", 60)
    assert {meet(n) for n in range(120)} == {"0"}


# --- several instances -------------------------------------------------------------------------


def test_one_of_two_instances_dies_and_no_user_notices(site):
    """The other one answers meanwhile, it is started again, and the ledger says so."""
    shop = site["twin"]
    before = site.users["twin"].counts()
    pids = {int(shop.ask("/pid", port=port).text.split()[1]) for port in shop.ports(0)}
    assert len(pids) == 2
    os.kill(min(pids), signal.SIGKILL)
    wait_for(lambda: new_pids(shop) and new_pids(shop) != pids, "it runs again", 20)
    time.sleep(3)
    assert set(site.users["twin"].counts() - before) == {"200"}
    assert [one["says"] for one in shop.ledger() if one["kind"] == "ended"]


def new_pids(shop):
    """The processes of the adopted release, if all of them answer."""
    try:
        return {int(shop.ask("/pid", port=port).text.split()[1]) for port in shop.ports(0)}
    except OSError:
        return set()


def test_what_instances_count_is_added_up(site):
    """The proxy's counts and those of the pages are of both instances of both releases."""
    shop = site["twin"]
    shop.commit("one", seconds=0.004)
    number = shop.ship()
    shop.until(number, "rolling_out", 60)
    sent = sum(site.users["twin"].counts().values())
    time.sleep(10)
    metrics = {one["name"]: one for one in shop.change(number)["verdict"]["metrics"]}
    sent = sum(site.users["twin"].counts().values()) - sent
    for name in ("errors", "checkout_errors"):
        both = metrics[name]["canary_all"] + metrics[name]["baseline_all"]
        assert 0.7 * sent < both < 1.5 * sent, (name, both, sent)
    assert metrics["errors"]["canary_all"] > 0
    site.world.post(f"/v1/changes/{number}/undo", {"because": "seen"}, BO)
    shop.until(number, "restored", 60)


# --- one repository, two services --------------------------------------------------------------


def test_a_change_of_one_folder_does_not_touch_the_other_service(site):
    """Each is built, run and undone from its own folder; the other keeps its process."""
    inner, outer = site["inner"], site["outer"]
    before = outer.ask("/pid").text, len(outer.ledger())
    inner.commit("only inner", seconds=0.004)
    number = inner.ship()
    inner.until(number, "rolling_out", 60)
    tree = site.world.home / "services" / "inner" / "releases" / str(number) / "tree"
    assert (tree / "inner" / "surefoot.toml").exists()
    assert inner.change(number)["files"] == ["inner/behaviour.json"]
    site.world.post(f"/v1/changes/{number}/undo", {"because": "seen"}, BO)
    inner.until(number, "restored", 60)
    with pytest.raises(Refusal, match="Nothing of outer"):
        outer.ship()
    assert (outer.ask("/pid").text, len(outer.ledger())) == before
    outer.commit("then outer", seconds=0.004)
    other = outer.ship()
    assert outer.until(other, "rolling_out", 60)["files"] == ["outer/behaviour.json"]
    assert len(outer.change(other)["commits"]) == 1
    site.world.post(f"/v1/changes/{other}/undo", {"because": "seen"}, BO)
    outer.until(other, "restored", 60)
    assert inner.ask("/release").text == "0"


# --- what the proxy leaves as it is ------------------------------------------------------------


def test_behind_another_proxy_headers_arrive_as_that_one_sent_them(site):
    """We add the address of who called us, and a request id where there is none; no more."""
    sent = {
        "Host": "shop.example",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "shop.example",
        "X-Request-Id": "given-by-the-first-proxy",
        "Forwarded": "for=203.0.113.9;proto=https",
        "Accept-Encoding": "identity",
        "Authorization": "Basic c2hvcA==",
    }
    told = json.loads(site["proxied"].ask("/headers", sent).text)
    wanted = {name.lower(): value for name, value in sent.items()}
    wanted["x-forwarded-for"] = "203.0.113.9,127.0.0.1"
    assert told == wanted
    told = json.loads(site["proxied"].ask("/headers", {"Host": "shop.example"}).text)
    assert set(told) == {
        "host",
        "accept-encoding",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-request-id",
    }


def test_head_is_answered_without_a_body(site):
    """With the length that a GET would have, and the connection goes on."""
    connection = http.client.HTTPConnection("127.0.0.1", site["proxied"].port, timeout=20)
    for _ in range(3):
        connection.request("HEAD", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, "3", b"")
    connection.close()


def test_who_expects_100_continue_gets_it_before_the_body(site):
    """The client waits for it; then its body arrives whole."""
    with socket.create_connection(("127.0.0.1", site["proxied"].port), timeout=20) as client:
        client.sendall(
            b"POST /upload HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert client.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.sendall(b"12345")
        assert client.recv(1000).endswith(b"\r\n\r\n5")


def test_http_2_without_tls_is_served_by_prior_knowledge(site):
    """As a proxy in front of us may speak; the service itself gets HTTP/1.1."""
    with socket.create_connection(("127.0.0.1", site["proxied"].port), timeout=20) as client:
        # RFC 9113: preface, empty SETTINGS; then HEADERS of stream 1 with END_STREAM and
        # END_HEADERS. RFC 7541: indexes 2, 6 are ":method GET", ":scheme http"; 1 and 4 name
        # ":authority" and ":path", whose values follow.
        fields = b"\x82\x86\x01\x0cshop.example\x04\x08/release"
        frame = struct.pack("!I", len(fields))[1:] + b"\x01\x05" + struct.pack("!I", 1) + fields
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04\x00" + bytes(4))
        client.sendall(frame)
        kinds = {}
        while 0 not in kinds:
            head = exactly(client, 9)
            length, kind, stream = int.from_bytes(head[:3]), head[3], int.from_bytes(head[5:])
            payload = exactly(client, length)
            if stream == 1:
                kinds[kind] = payload
    assert kinds[1].startswith(b"\x88")  # index 8 is ":status 200"
    assert kinds[0] == b"0"  # DATA


def exactly(client, length):
    """So many bytes."""
    data = b""
    while len(data) < length:
        data += client.recv(length - len(data)) or pytest.fail("the connection was closed")
    return data


# --- odd processes -----------------------------------------------------------------------------


def test_a_stubborn_release_and_its_child_end_after_the_stop_timeout(site):
    """Both ignore SIGTERM; they are ended by force with their group, and users never wait."""
    shop = site["odd"]
    shop.commit("it will not go", stubborn=True, lingers=987654)
    number = shop.ship()
    shop.until(number, "rolling_out", 60)
    (port,) = shop.ports(number)
    pid = int(shop.ask("/pid", port=port).text.split()[1])
    assert "987654" in commands()
    site.world.post(f"/v1/changes/{number}/undo", {"because": "seen"}, BO)
    status = shop.until(number, "restored", 60)
    assert status["times"]["undo_s"] < 2
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the release is gone", 20)
    wait_for(lambda: "987654" not in commands(), "and so is its child", 10)


def commands():
    """The command lines of all processes."""
    folders = (one for one in Path("/proc").iterdir() if one.name.isdigit())
    return " ".join(content(one / "cmdline").decode(errors="replace") for one in folders)


def test_a_release_that_shouts_fills_no_disk_and_is_not_slowed_to_a_halt(site):
    """Ten megabytes a second: what is kept is bounded, it goes on answering, and so do we."""
    shop = site["loud"]
    shop.commit("debug output left on", shouts_mb=10)
    number = shop.ship()
    shop.until(number, "rolling_out", 60)
    logs = site.world.home / "running" / "loud" / str(number)
    (port,) = shop.ports(number)
    largest, slowest = 0, 0.0
    end = time.monotonic() + 12
    while time.monotonic() < end:
        largest = max(largest, sum(len_of(one) for one in logs.glob("*.log*")))
        began = time.monotonic()
        assert shop.ask("/", port=port).status == 200
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.1)
    assert 20e6 < largest < 100e6
    assert slowest < 2
    site.world.post(f"/v1/changes/{number}/undo", {"because": "seen"}, BO)
    shop.until(number, "restored", 60)
    assert set(site.users["loud"].counts()) == {"200"}


def len_of(file):
    """The size of a file that may be gone."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


# --- what stands in the way at the start -------------------------------------------------------


def test_an_address_that_is_taken_is_refused_with_who_holds_it(site):
    """Before anything is started, with the process to end."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        shop = site.world.service("taken")
        shop.port = port
        shop.write_manifest()
        shop.commit("where somebody else listens")
        done = site.world.cli("adopt", "HEAD", "--json", folder=shop.folder)
    assert done.returncode == 30, done.stdout + done.stderr
    assert f"127.0.0.1:{port}" in done.stdout
    assert f"process {os.getpid()}" in done.stdout


def test_leftovers_of_an_earlier_run_stand_in_nobodys_way():
    """After a power cut: old sockets, pid files and half a checkout; all is taken up again."""
    world = World()
    try:
        world.up()
        shop = world.service("again")
        shop.adopt()
        world.kill_everything()
        half = world.home / "services" / "again" / "releases" / "1" / "tree"
        half.mkdir(parents=True)
        (half / "server.py").write_text("raise SystemExit('half of it')")
        (world.home / "running" / "again" / "1").mkdir(parents=True)
        assert (world.home / "envoy" / "admin.sock").exists()
        world.up()
        wait_for(lambda: released(shop) == "0", "the live release is back", 60)
        shop.commit("one", seconds=0.004)
        assert shop.ship() == 1
        shop.until(1, "queued", 60)
    finally:
        world.end()


def released(shop):
    """The release that answers, if any does."""
    try:
        return shop.ask("/release").text
    except OSError:
        return None
