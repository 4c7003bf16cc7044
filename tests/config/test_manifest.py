"""`surefoot.toml` in, values out: or an error with its line, the key and the cure."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from surefoot.config.keys import KEYS
from surefoot.config.manifest import parse_manifest
from surefoot.domain.change import Person
from surefoot.domain.errors import BadManifest
from surefoot.domain.manifest import (
    Address,
    Check,
    Manifest,
    Metric,
    MetricKind,
    Notify,
    ReleaseRules,
    Review,
    Rollout,
    Traffic,
)

WHOLE = """\
[service]
name = "shop"
listen = "127.0.0.1:8080"            # where users come in
upstream = "127.0.0.1:9000"          # adopt a process that Surefoot does not start

[release]
build = ["make", "build"]            # argv; optional
run = ["python", "app.py"]           # gets PORT
health = "/healthz"
metrics = "/metrics"                 # optional
warm = ["/", "/catalogue"]           # asked before any user; optional
instances = 2
env = { LOG_LEVEL = "info" }
env_file = "/etc/shop.env"           # on the server, 0600; never in git, never shown
ready = "50s"
stop_timeout = "500ms"

[checks.unit]
run = ["pytest", "-q"]
time_limit = "0.5h"
coverage = "./coverage/lcov.info"

[metrics.checkout_errors]
kind = "ratio"
bad = 'checkout_total{outcome="error"}'
total = 'checkout_total'
margin_ratio = 1.5
margin_points = 0.5

[metrics.served]
kind = "ratio"
good = 'served_total{code!="500", region="north"}'
total = 'served_total'

[metrics.checkout_seconds]
kind = "latency"
histogram = "checkout_seconds"

[metrics.latency]
margin_points = 2

[metrics.memory]
kind = "gauge"
gauge = "resident_bytes"
worse = "higher"

[metrics.exports]
kind = "counter"
counter = "exports_total"

[rollout]
steps = [0.1, 0.5]
warm_up = "11s"
time_limit = "16m"
answer_within = "31m"
on_inconclusive = "hold"
soak = "12m"
largest_margin = 10
blind_limit = "31s"
undo_drain = "0s"

[traffic]
sticky = "header:X-User"
timeout = "30s"

[risk]
data = ["migrations/**"]

[team]
members = ["Ana B. <ana@example.org>", "Bo <bo@example.org>"]
review = "after"

[notify]
run = ["/usr/local/bin/tell-team"]
"""

SMALLEST = """\
[service]
name = "shop"
listen = "127.0.0.1:8080"

[release]
run = ["./shop"]
"""

ABOVE = SMALLEST.count("\n")


def parsed(text: str) -> Manifest:
    return parse_manifest(text, place="surefoot.toml", folder="shops/one")


def refused(text: str) -> BadManifest:
    with pytest.raises(BadManifest) as caught:
        parsed(text)
    assert caught.value.cure, "an error without a cure"
    return caught.value


def test_the_whole_file_is_read() -> None:
    """Each key of the design's example ends where it belongs, in seconds and fractions."""
    assert parsed(WHOLE) == Manifest(
        name="shop",
        listen=Address("127.0.0.1", 8080),
        upstream=Address("127.0.0.1", 9000),
        folder="shops/one",
        release=ReleaseRules(
            run=("python", "app.py"),
            build=("make", "build"),
            health="/healthz",
            metrics="/metrics",
            warm=("/", "/catalogue"),
            instances=2,
            env=(("LOG_LEVEL", "info"),),
            env_file="/etc/shop.env",
            ready_s=50.0,
            stop_timeout_s=0.5,
        ),
        checks=(Check("unit", ("pytest", "-q"), 1800.0, "coverage/lcov.info"),),
        metrics=(
            Metric(
                "checkout_errors",
                MetricKind.RATIO,
                bad='checkout_total{outcome="error"}',
                total="checkout_total",
                margin_ratio=1.5,
                margin_points=0.5,
            ),
            Metric(
                "served",
                MetricKind.RATIO,
                good='served_total{code!="500", region="north"}',
                total="served_total",
                worse="lower",
            ),
            Metric("checkout_seconds", MetricKind.LATENCY, histogram="checkout_seconds"),
            Metric("latency", margin_points=2.0),
            Metric("memory", MetricKind.GAUGE, gauge="resident_bytes"),
            Metric("exports", MetricKind.COUNTER, counter="exports_total"),
        ),
        rollout=Rollout(
            steps=(0.1, 0.5),
            warm_up_s=11.0,
            time_limit_s=960.0,
            answer_within_s=1860.0,
            on_inconclusive="hold",
            soak_s=720.0,
            largest_margin=10.0,
            blind_limit_s=31.0,
            undo_drain_s=0.0,
        ),
        traffic=Traffic("header:X-User", 30.0),
        risk_data=("migrations/**",),
        members=(Person("Ana B.", "ana@example.org"), Person("Bo", "bo@example.org")),
        review=Review.AFTER,
        notify=Notify(("/usr/local/bin/tell-team",)),
    )


def test_three_keys_are_enough() -> None:
    """Everything else has the default of the domain's values."""
    assert parsed(SMALLEST) == Manifest(
        name="shop",
        listen=Address("127.0.0.1", 8080),
        release=ReleaseRules(run=("./shop",)),
        folder="shops/one",
    )


BAD_VALUES = {
    "service.name": ['""', "7", '"My Shop"', '"-shop"', f'"{"a" * 42}"', '"läden"'],
    "service.listen": [
        "8080",
        '"8080"',
        '"127.0.0.1:0"',
        '"127.0.0.1:65536"',
        '"127.0.0.1:٣"',
        f'"127.0.0.1:{"1" * 900}"',
        '"http://127.0.0.1:80"',
        '"shop.example.org:80"',
        '"::1:80"',
        '"[::z]:80"',
    ],
    "service.upstream": ['"nowhere"', '"a b:80"', "[]"],
    "release.build": ['"make build"', "[]", '[""]', "[1]", '["a\\u0000"]'],
    "release.run": ['"python app.py"', "[]", '["", "a"]', '[["a"]]'],
    "release.health": ['"healthz"', '"/a b"', '"/ä"', '"/a\\r\\nX: y"', '"/#x"', "true"],
    "release.metrics": ['"metrics"', "1"],
    "release.warm": ['"/"', '["/", "x"]', "[1]"],
    "release.instances": ["0", "-1", "65", "1.5", "true", '"2"', f"0x{'f' * 5000}"],
    "release.env": ['"A=b"', "{ A = 1 }", '{ PORT = "1" }', '{ "A-B" = "c" }', '["A"]'],
    "release.env_file": ['"shop.env"', '""', "1"],
    "release.ready": ['"0s"', "60", '"60"', '"1 minute"', '"-1s"', '"٣s"', '"8d"', '"169h"'],
    "release.stop_timeout": ['"10"', "10", '"inf s"', f'"{"9" * 500}s"'],
    "checks.NAME.run": ['"pytest -q"', "[]"],
    "checks.NAME.time_limit": ['"0s"', "1800"],
    "checks.NAME.coverage": ['""', '"."', '"/tmp/lcov.info"', '"../a"', '"a/../../b"', "[]"],
    "metrics.NAME.kind": ['"rate"', "1", '["ratio"]'],
    "metrics.NAME.bad": ['"a b"', '"a{b}"', "1", '\'a{b="c"d="e"}\''],
    "metrics.NAME.good": ['"1a"', "\"a{b='c'}\""],
    "metrics.NAME.total": ['"sum(a)"', '""'],
    "metrics.NAME.histogram": ['"rate(a[5m])"', "{}"],
    "metrics.NAME.gauge": ['"a{"', "[]"],
    "metrics.NAME.counter": ['"a-b"', f'"{"a" * 1001}"'],
    "metrics.NAME.worse": ['"up"', "true"],
    "metrics.NAME.margin_ratio": ["0.9", "101", '"1.5"', "nan", "inf", f"0x{'f' * 5000}"],
    "metrics.NAME.margin_points": ["-0.1", "10.1", "nan", "true"],
    "rollout.steps": [
        '"fast"',
        "[]",
        "[0.0]",
        "[0.6]",
        "[0.5, 0.1]",
        "[0.1, 0.1]",
        "[nan]",
        "[true]",
        '["10%"]',
        "0.5",
        f"[0x{'f' * 5000}]",
    ],
    "rollout.warm_up": ["10", '"ten"'],
    "rollout.time_limit": ['"0m"', "15"],
    "rollout.answer_within": ['"soon"'],
    "rollout.on_inconclusive": ['"accept"', "false"],
    "rollout.soak": ["600"],
    "rollout.largest_margin": ["11", "-1", '"5"'],
    "rollout.blind_limit": ['"0s"', "30"],
    "rollout.undo_drain": ["5"],
    "traffic.sticky": ['"on"', '"header:"', '"header:X Y"', "true"],
    "traffic.timeout": ['"0s"', "30", '"never"'],
    "risk.data": ['"migrations/**"', "[1]", '[""]'],
    "team.members": ['"Ana <ana@example.org>"', '["Ana"]', '["<ana@example.org>"]', "[1]"],
    "team.review": ['"never"', "true"],
    "notify.run": ['"tell"', "[]"],
}
CASES = [(place, value) for place, values in BAD_VALUES.items() for value in values]


def test_every_key_is_tried() -> None:
    """No key can be added without a bad value for it here."""
    assert list(BAD_VALUES) == [key.place for key in KEYS]


@pytest.mark.parametrize(("place", "value"), CASES, ids=lambda text: text[:40])
def test_a_bad_value_is_named_with_its_line_and_its_cure(place: str, value: str) -> None:
    """The line is that of the key itself, below comments, blank lines and other tables."""
    *table, key = place.replace("NAME", "mine").split(".")
    own, others = f"[{'.'.join(table)}]", SMALLEST
    if table[0] in {"service", "release"}:
        # The key's own table goes last, so that the line is the same for all.
        halves = SMALLEST.split("\n\n")
        first = table[0] == "service"
        own, others = (halves[0], halves[1]) if first else (halves[1], halves[0])
        own = "\n".join(line for line in own.splitlines() if not line.startswith(f"{key} ="))
    text = f"{others}\n\n# a note\n{own}\n\n  {key}  = {value} # odd\n"
    line = text[: text.index(f"  {key}  = ")].count("\n") + 1
    said = refused(text).message
    assert said.startswith(f"surefoot.toml:{line}: {'.'.join(table)}.{key} ")
    assert len(said) < 300


@pytest.mark.parametrize(
    ("more", "line", "says"),
    [
        ("[rollout]\nstep = 1\n", 2, "rollout.step is not a key"),
        ("[[rollout]]\nsteps = 1\n", 1, "rollout is no table"),
        ("[metrics]\nerrors = 5\n", 2, "metrics.errors is no table"),
        ('[checks]\nunit = ["pytest"]\n', 2, "checks.unit is no table"),
        ("[checks.unit]\n", 1, "checks.unit has no 'run'"),
        ('[checks."a b"]\nrun = ["x"]\n', 1, "checks.a b cannot be a name"),
        (
            '[checks.a]\nrun = ["a"]\ncoverage = "x"\n[checks.b]\nrun = ["b"]\ncoverage = "./x"\n',
            6,
            "checks.b.coverage is the report of checks.a already",
        ),
        ("[metrics.mine]\n", 1, "metrics.mine has no 'kind'"),
        ('[metrics.mine]\ntotal = "a"\n', 1, "metrics.mine has no 'kind'"),
        ('[metrics.mine]\nkind = "ratio"\nbad = "b"\n', 1, "is a ratio and has no 'total'"),
        ('[metrics.mine]\nkind = "ratio"\ntotal = "b"\n', 1, "needs either 'bad' or 'good'"),
        (
            '[metrics.mine]\nkind = "ratio"\nbad = "a"\ngood = "a"\ntotal = "b"\n',
            1,
            "needs either 'bad' or 'good'",
        ),
        ('[metrics.mine]\nkind = "latency"\n', 1, "is a latency and has no 'histogram'"),
        ('[metrics.mine]\nkind = "gauge"\n', 1, "is a gauge and has no 'gauge'"),
        ('[metrics.mine]\nkind = "counter"\n', 1, "is a counter and has no 'counter'"),
        (
            '[metrics.mine]\nkind = "counter"\ncounter = "c"\nbad = "b"\n',
            4,
            "metrics.mine.bad is not for a counter",
        ),
        (
            '[metrics.mine]\nkind = "latency"\nhistogram = "x_bucket"\n',
            3,
            "is one series of a histogram",
        ),
        (
            '[metrics.mine]\nkind = "ratio"\ngood = "a"\ntotal = "b"\nworse = "higher"\n',
            5,
            "the wrong way round",
        ),
        ('[metrics.errors]\nkind = "ratio"\n', 2, "is known already: the proxy sees it"),
        ('[metrics.latency]\nhistogram = "x"\n', 2, "is known already: the proxy sees it"),
        ("[metrics.errors]\nmargin_points = 0\n", 1, "has no margin at all"),
        ("[metrics.errors]\nmargin_ratio = 1\n", 1, "has no margin at all"),
        ("[colours]\n", 1, "colours is not a key"),
        ("[rollout]\n'soak.s' = 1\n", 2, "rollout.soak.s is not a key"),
        (
            "[team]\nmembers = [\n  'Ana <ana@example.org>',\n  'Bo',\n]\n",
            2,
            "team.members has 'Bo'",
        ),
        ('[risk]\ndata = ["a", # [notify]\n]\n[team]\nreview = "x"\n', 5, "team.review is 'x'"),
        ('[risk]\ndata = ["""\n[team]\nreview = 1"""]\n', 2, "risk.data is"),
        ("[traffic\n", 1, "this is not TOML"),
        ("[team]\nreview = before\n", 2, "this is not TOML"),
        ('[team]\nreview = "before\n', 2, "this is not TOML"),
        ('[team]\nreview = "off"\nreview = "off"\n', 3, "this is not TOML"),
    ],
)
def test_what_does_not_fit_together_is_named_with_its_line(more: str, line: int, says: str) -> None:
    """Tables, companions and TOML itself are checked as closely as values are."""
    said = refused(f"{SMALLEST}{more}").message
    assert said.startswith(f"surefoot.toml:{ABOVE + line}: ")
    assert says in said


@pytest.mark.parametrize(
    ("table", "key", "meant"),
    [
        ("release", "helth", "release.health"),
        ("release", "listen", "service.listen"),
        ("service", "health", "release.health"),
        ("checks.unit", "timelimit", "checks.NAME.time_limit"),
        ("metrics.mine", "histogramm", "metrics.NAME.histogram"),
        ("rollout", "soak_time", "rollout.soak"),
        ("rolout", "x", "rollout"),
    ],
)
def test_a_slip_of_the_pen_is_understood(table: str, key: str, meant: str) -> None:
    """An unknown key suggests the nearest that there is, in its own table first."""
    text = SMALLEST.replace(f"[{table}]", f"[{table}]\n{key} = 1")
    text = text if text != SMALLEST else f"{SMALLEST}[{table}]\n{key} = 1\n"
    assert refused(text).cure == f"Did you mean '{meant}'?"


def test_a_key_like_no_other_points_to_the_page() -> None:
    """Where nothing is near, nothing is guessed."""
    assert "docs/manifest.md" in refused(f"{SMALLEST}[traffic]\nzzz = 1\n").cure


def test_what_takes_no_requests_is_refused_in_a_sentence() -> None:
    """A worker has nothing to split; the line is that of its table."""
    error = refused('# a worker\n\n[service]\nname = "worker"\n[release]\nrun = ["./work"]\n')
    assert error.message == (
        "surefoot.toml:3: service has no 'listen', "
        "and what takes no requests cannot be split by traffic."
    )
    assert "Workers and cron jobs" in error.cure


@pytest.mark.parametrize(
    ("missing", "line", "says"),
    [
        ('name = "shop"\n', 1, "service has no 'name'"),
        ('run = ["./shop"]\n', 5, "release has no 'run'"),
        ('[release]\nrun = ["./shop"]\n', 1, "release has no 'run'"),
    ],
)
def test_what_is_required_is_asked_for(missing: str, line: int, says: str) -> None:
    """The line is that of the table, or the first when there is none."""
    error = refused(SMALLEST.replace(missing, ""))
    assert error.message == f"surefoot.toml:{line}: {says}."


def test_a_metric_needs_a_page_to_be_read_from() -> None:
    """A declared metric without a metrics page would never be seen, and hold everything up."""
    text = SMALLEST + '[metrics.mine]\nkind = "gauge"\ngauge = "g"\n'
    error = refused(text)
    assert "metrics.mine has no page to be read from" in error.message
    assert 'metrics = "/metrics"' in error.cure
    seen_by_proxy = SMALLEST + "[metrics.errors]\nmargin_points = 5\n"
    assert parse_manifest(seen_by_proxy, place="x").metrics


def test_an_empty_file_is_asked_for_everything() -> None:
    """Nothing written is answered with the first thing to write."""
    assert refused("").message.startswith("surefoot.toml:1: service has no 'listen'")


def test_a_process_cannot_stand_behind_itself() -> None:
    """The proxy and the adopted process need ports of their own."""
    text = SMALLEST.replace("[release]", 'upstream = "127.0.0.1:8080"\n[release]')
    assert "5: service.upstream is the same as 'listen'" in refused(text).message


def test_what_may_be_a_secret_is_not_repeated() -> None:
    """People write passwords into `env`: an error there names the key alone."""
    text = SMALLEST + 'env = { "PASS WORD" = "hunter2" }\n'
    assert "hunter2" not in str(refused(text))


def test_lines_are_counted_as_editors_count_them() -> None:
    """Windows line ends count once, and a form feed in a comment not at all."""
    text = SMALLEST.replace("\n", "\r\n").replace('"shop"', '"shop" # \u2028\u0085 odd')
    assert refused(f'{text}[team]\r\nreview = "x"\r\n').message.startswith("surefoot.toml:8: ")


def test_keys_may_be_written_inline_or_dotted() -> None:
    """TOML has several ways to write one thing; all mean the same and all have lines."""
    plain = parsed(f'{SMALLEST}[checks.unit]\nrun = ["x"]\n[traffic]\nsticky = "off"\n')
    assert parsed(f'{SMALLEST}[checks]\nunit = {{ run = ["x"] }}\n') == plain
    assert parsed(f'traffic.sticky = "off"\nchecks.unit.run = ["x"]\n{SMALLEST}') == plain
    error = refused(f'{SMALLEST}[checks]\na = {{ run = ["x"] }}\nb = {{ run = "y" }}\n')
    assert error.message.startswith(f"surefoot.toml:{ABOVE + 3}: checks.b.run ")
    error = refused(f"checks.a.run = ['x']\nchecks.\"b\".run = 'y'\n{SMALLEST}")
    assert error.message.startswith("surefoot.toml:2: checks.b.run ")


@pytest.mark.parametrize(
    "text",
    [
        f"x = {'[' * 5000}{']' * 5000}",
        f"x = {'1' * 5000}",
        "x = 2021-02-30",
        "#" * 64_001,
        f"{'a.' * 3000}b = 1",
        "\ufeff" + SMALLEST,
    ],
    ids=["deep", "long", "no such day", "large", "long key", "byte order mark"],
)
def test_odd_text_is_refused_like_any_other(text: str) -> None:
    """What brings the parser to its own limits is a bad manifest too."""
    assert refused(text).message.startswith("surefoot.toml:1: ")


def test_no_depth_of_nesting_slips_through() -> None:
    """Between what the parser takes and what it gives up on lies no other error."""
    for depth in range(1, 1200):
        said = refused(f"x = {'[' * depth}{']' * depth}").message
        assert said.startswith("surefoot.toml:1: ")


PIECES = st.sampled_from(
    [
        *WHOLE.splitlines(),
        *(f"{place.rpartition('.')[2]} = {value}" for place, value in CASES if len(value) < 200),
        *(f"[{key.place.rpartition('.')[0]}]" for key in KEYS),
        *(
            "[[service]]",
            "[release.env]",
            '"""',
            "'''",
            "x = [",
            "]",
            "a.b = { c = 1 }",
            "\t",
            "\r",
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(text=st.text() | st.lists(PIECES | st.text(max_size=8), max_size=12).map("\n".join))
@example(text="[service]\nname=''''a'''''\nlisten=\"\"\"\"\"\"\n")
def test_any_text_parses_or_is_refused(text: str) -> None:
    """Whatever is written, nothing but a BadManifest with a line and a cure comes back."""
    said, cure = "surefoot.toml:1: ", "none needed"
    try:
        parsed(text)
    except BadManifest as error:
        said, cure = error.message, error.cure
    place, line, _ = said.split(":", 2)
    assert place == "surefoot.toml"
    assert 1 <= int(line) <= text.count("\n") + 1
    assert cure


@settings(max_examples=200, deadline=None)
@given(value=st.text(), place=st.sampled_from(sorted(BAD_VALUES)))
def test_any_words_as_a_value_parse_or_are_refused(value: str, place: str) -> None:
    """The readers of values let no odd text through as another error."""
    *table, key = place.replace("NAME", "mine").split(".")
    quoted = "".join(f"\\U{ord(letter):08x}" for letter in value)
    for written in (f'"{quoted}"', f'["{quoted}"]', f'{{ "{quoted}" = "{quoted}" }}'):
        text = f"{'.'.join(table)}.{key} = {written}\n"
        with pytest.raises(BadManifest, match=r"^surefoot\.toml:1: "):
            parsed(text)


def test_the_largest_file_is_refused_quickly() -> None:
    """Text made to be slow to read does not keep the daemon from its work."""
    began = time.monotonic()
    for value in (
        '"' + " " * 60_000 + '"',
        "[" + "'a'," * 15_000 + "]",
        '"a{' + "b" * 60_000 + '"',
    ):
        refused(f"{SMALLEST}[metrics.mine]\nbad = {value}\n")
        refused(f"{SMALLEST}[team]\nmembers = [{value}]\n")
    assert time.monotonic() - began < 30.0
