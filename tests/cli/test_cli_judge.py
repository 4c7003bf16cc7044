"""`surefoot judge`: any size of record, the reasons in sentences, and one picture of it all."""

import gzip
import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from console import Console, lonely

__all__ = ["lonely"]  # pytest takes fixtures by name from here

HOSTILE = '</text><script>alert("1")</script>&\x1b[2J\u202e]]>'
SVG = "{http://www.w3.org/2000/svg}"


def rows(seconds, bad=0, metric="errors", n=20):
    told = []
    for t in range(seconds):
        for arm, wrong, everything in (("canary", bad, n), ("baseline", t % 2, 9 * n)):
            told.append({"t": t, "metric": metric, "kind": "ratio", "arm": arm})
            told[-1] |= {"bad": wrong, "all": everything}
    return "".join(json.dumps(row) + "\n" for row in told)


@pytest.mark.parametrize(
    ("recorded", "code", "verdict"),
    [
        (rows(200), 0, "verified"),
        (rows(20, bad=10), 10, "worse"),
        ('{"plan": {"time_limit": 30}}\n' + rows(40), 40, "inconclusive"),
        (rows(20), 40, "watching"),
        (rows(2) + "{\n", 2, None),
    ],
)
def test_each_verdict_has_its_exit_code(lonely: Console, recorded, code, verdict) -> None:
    """0 verified, 10 worse, 40 undecided, 2 unreadable; from a pipe as from a file."""
    said = lonely("judge", "-", "--json", sent=recorded)
    assert (said.code, said.object.get("verdict")) == (code, verdict)
    packed = lonely.folder / "ticks.gz"
    packed.write_bytes(gzip.compress(recorded.encode()))
    assert lonely("judge", "ticks.gz", "--json").object == said.object
    with packed.open("rb") as sent:
        assert lonely("judge", "-", "--json", terminal=sent).object == said.object


def test_malformed_lines_are_all_named(lonely: Console) -> None:
    """Each bad line is told by its number, with what is wrong and the cure; none is passed over."""
    sent = rows(2) + 'oops\n{"t": 1, "share": 7}\n' + rows(1)
    said = lonely("judge", "-", sent=sent)
    assert said.code == 2
    assert said.out == ""
    for told in (
        "Line 5 is not JSON",
        "Line 6: `share` is 7. It must be",
        "Line 7: a row at t = 0",
    ):
        assert told in said.err
    assert "Nothing was judged" in said.err
    (lonely.folder / "bytes").write_bytes(rows(1).encode() + b'{"t": "\xff"}\n')
    assert "Line 3 is not UTF-8" in lonely("judge", "bytes").err
    (lonely.folder / "long").write_bytes(rows(1).encode() + b" " * 1_000_001)
    assert "Line 3 is longer than 1,000,000 bytes" in lonely("judge", "long").err


def test_reasons_are_told_on_request(lonely: Console) -> None:
    """`--explain` adds sentences below the verdict, and a list of them to the JSON."""
    sent = rows(20, bad=10)
    plain, said = lonely("judge", "-", sent=sent), lonely("judge", "-", "--explain", sent=sent)
    assert said.out.startswith(plain.out)
    assert "which metric" not in plain.out
    assert "Of that evidence against it: errors" in said.out
    told = lonely("judge", "-", "--explain", "--json", sent=sent).object
    assert "\n".join(told.pop("explanation")) in said.out
    assert told == lonely("judge", "-", "--json", sent=sent).object


def test_picture_is_a_whole_svg_that_names_itself(lonely: Console) -> None:
    """Valid XML, with title and description, both arms, thresholds, light and dark."""
    assert lonely("judge", "-", "--plot", "it.svg", sent=rows(200)).code == 0
    drawn = (lonely.folder / "it.svg").read_text()
    svg = ET.fromstring(drawn)
    named = {svg.get("aria-labelledby"): svg.find(f"{SVG}title").text}
    assert named["title desc"].startswith("VERIFIED after ")
    assert "100 means worse" in svg.find(f"{SVG}desc").text
    shown = [line.get("class") for line in svg.iter(f"{SVG}polyline")]
    assert shown == ["evidence", "evidence", "canary", "baseline"]
    assert [band.get("class") for band in svg.iter(f"{SVG}polygon")] == [
        "canary-band",
        "baseline-band",
    ]
    assert len([line for line in svg.iter(f"{SVG}path") if line.get("class") == "limit"]) == 2
    assert "prefers-color-scheme:dark" in drawn
    assert "href" not in drawn


def test_picture_draws_what_the_rows_say(lonely: Console) -> None:
    """The canary's line lies as much higher than the baseline's as its rate does."""
    assert lonely("judge", "-", "--plot", "it.svg", sent=rows(50, bad=10)).code == 10
    svg = ET.fromstring((lonely.folder / "it.svg").read_text())
    heights = {}
    for line in svg.iter(f"{SVG}polyline"):
        points = [float(point.split(",")[1]) for point in line.get("points").split()]
        heights[line.get("class")] = sum(points) / len(points)
    axis = [path.get("d") for path in svg.iter(f"{SVG}path") if path.get("class") == "axis"][-1]
    base = float(axis.split("V")[1].split("H")[0])
    canary, baseline = base - heights["canary"], base - heights["baseline"]
    assert canary / baseline == pytest.approx((10 / 20) / (0.5 / 180), rel=0.1)


def test_hostile_names_stay_text_in_the_picture(lonely: Console) -> None:
    """Markup, controls and marks that turn the reading order are shown, not obeyed."""
    sent = rows(70, metric=HOSTILE) + '{"t": 70, "fact": "dead"}\n'
    assert lonely("judge", "-", "--plot", "it.svg", "--explain", sent=sent).code == 10
    drawn = (lonely.folder / "it.svg").read_text()
    svg = ET.fromstring(drawn)
    assert not list(svg.iter(f"{SVG}script"))
    assert any('<script>alert("1")</script>' in (text.text or "") for text in svg.iter())
    assert not {"\x1b", "\u202e"} & set(drawn)


def test_picture_of_a_long_record_is_no_larger(lonely: Console) -> None:
    """A record of 20,000 seconds is drawn in no more bytes than 200 points need."""
    (lonely.folder / "long").write_text(rows(20_000))
    (lonely.folder / "short").write_text(rows(200))
    for name in ("long", "short"):
        lonely("judge", name, "--plot", f"{name}.svg")
    sizes = [(lonely.folder / f"{name}.svg").stat().st_size for name in ("long", "short")]
    assert sizes[0] < 1.3 * sizes[1]
    many = "".join(rows(1, metric=f"guard_{number:03}") for number in range(200))
    assert lonely("judge", "-", "--plot", "many.svg", sent=many).code == 40
    drawn = (lonely.folder / "many.svg").read_text()
    assert "188 more metrics are not drawn" in drawn
    assert len(drawn) < 30_000


def test_picture_that_cannot_be_written_is_said(lonely: Console) -> None:
    """Nothing is half told: the place and the cure are named."""
    said = lonely("judge", "-", "--plot", "no/where.svg", sent=rows(3))
    assert said.code == 30
    assert "no/where.svg cannot be written" in said.err


PEAK = """
import sys
from surefoot.cli.main import run
run(["judge", sys.argv[1]])
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0], file=sys.stderr)
"""


def test_memory_does_not_grow_with_the_record(lonely: Console) -> None:
    """Ten times the rows take no more memory: neither the file nor its rows are ever held."""
    peaks = []
    for seconds in (3_000, 30_000):
        (lonely.folder / "ticks").write_text(rows(seconds))
        done = subprocess.run(
            [sys.executable, "-c", PEAK, "ticks"],
            cwd=lonely.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stderr))
    assert peaks[1] - peaks[0] < 2_000  # kB; the rows alone would be more than 20,000
