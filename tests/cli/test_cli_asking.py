"""What is asked of a Prometheus, and what is made of the answers that are none."""

import json

import pytest
from console import Console, lonely
from prometheus_world import serving

from surefoot.adapters.prometheus.client import read_headers
from surefoot.adapters.prometheus.selectors import question
from surefoot.analysis.ticks import Arm
from surefoot.domain.errors import BadEvidence

__all__ = ["lonely"]  # pytest takes fixtures by name from here

A, B = 'release="a"', 'release="b"'
BAD = 'http_requests_total{code=~"5.."}'
QUERY = "/api/v1/query"


def test_selectors_are_narrowed_to_an_arm():
    """Each selector is asked for as it was typed, with the arm's matchers behind it."""
    asked = question(B, f"{{{A}}}", BAD, 'http_seconds_bucket{path!="/a/b}"}').asked(Arm.BASELINE)
    assert dict(asked) == {
        "all": 'http_requests_total{release="a"}',
        "bad": 'http_requests_total{code=~"5..", release="a"}',
        "buckets": '{__name__=~"http_seconds|http_seconds_bucket", path!="/a/b}", release="a"}',
    }
    both = question(B, A, 'errors_total{path="/a/b"}/requests_total').asked(Arm.CANARY)
    assert list(both) == ["all", "bad"]  # a scrape that the first answer has, the second has too
    assert both["all"] == 'requests_total{release="b"}'
    assert both["bad"] == 'errors_total{path="/a/b", release="b"}'


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ((B, A, "rate(errors_total[5m])"), "no function"),
        ((B, A, "errors_total"), "BAD/TOTAL"),
        ((B, A, 'errors_total{code="5}'), "select series"),
        ((B, A, 'a{b="c"} or vector(1)'), "select series"),
        ((B, A, "1a/b"), "select series"),
        ((B, A), "--errors"),
        ((B, B, BAD), "the same"),
        (('release="b"} or {a="b"', A, BAD), "--canary"),
        (("", A, BAD), "--canary"),
        ((B, "release=a", BAD), "--baseline"),
        ((B, A, None, "histogram_quantile(0.9, x)"), "--latency"),
    ],
)
def test_what_is_no_selector_is_refused(typed, told):
    """No other PromQL comes through, and the cure stands in the message."""
    with pytest.raises(BadEvidence) as refused:
        question(*typed)
    assert told in str(refused.value)
    assert refused.value.cure


def test_headers_are_read_and_never_told():
    """One header a line; of a line that is none, its number is told and not its text."""
    lines = "# ours\n\nAuthorization: Bearer abc \nX-Scope-OrgID: shop\n"
    assert read_headers(lines, "it") == {"Authorization": "Bearer abc", "X-Scope-OrgID": "shop"}
    for wrong in ("hunter2", "Bad Name: hunter2", "A: hunter2\x00"):
        with pytest.raises(BadEvidence, match=r"Line 2 of it") as refused:
            read_headers(f"\n{wrong}", "it")
        assert "hunter2" not in str(refused.value)


def ask(console: Console, url: str, *more: str, **environment: str):
    arms = ("--canary", B, "--baseline", A, "--errors", BAD)
    return console("judge", "--prometheus", url, *arms, *more, **environment)


def answer(result=(), **more):
    told = {"status": "success", "data": {"resultType": "matrix", "result": list(result)}, **more}
    return json.dumps(told).encode()


FAILED = b'{"status": "error", "errorType": "x", "error": "%s"}'


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "told"),
    [
        (401, {}, b"", 50, "--headers"),
        (403, {}, b"no", 50, "--headers"),
        (302, {"Location": "http://x:y@else.example/"}, b"", 50, "leads elsewhere"),
        (200, {}, b"<html>", 50, "not Prometheus' API"),
        (404, {}, b"404 page not found", 50, "/api/v1/query"),
        (400, {}, FAILED % b"parse error: oops", 2, "parse error: oops"),
        (422, {}, FAILED % b"too many samples", 2, "fewer series"),
        (503, {}, FAILED % b"starting", 50, "starting"),
        (200, {}, answer(warnings=["a store is away"]), 50, "a store is away"),
        (200, {}, answer(), 2, "nothing of the canary"),
        (200, {}, b"[" + b"0," * 33_000_000 + b"0]", 2, "larger than"),
    ],
)
def test_answers_that_are_none_are_named(lonely, status, headers, body, code, told):
    """Each way of not answering has its sentence, its cure and its exit code; none is a verdict."""
    with serving({QUERY: lambda: (status, headers, body)}) as url:
        said = ask(lonely, url)
    assert (said.code, said.out) == (code, "")
    assert told in said.err
    assert "x:y" not in said.err


def test_who_is_not_there_is_named(lonely):
    """A closed port and a bad address: where, and what to look at."""
    with serving({}) as url:
        pass
    said = ask(lonely, url)
    assert said.code == 50
    assert f"does not answer at {url}" in said.err
    assert ask(lonely, "ftp://x").code == 2
    secret = ask(lonely, "http://me:hunter2@127.0.0.1:1")
    assert secret.code == 2
    assert "hunter2" not in secret.err
    assert "--headers" in secret.err


def test_native_histogram_is_refused(lonely):
    """Buckets that change by themselves have no bounds to compare at."""
    native = {"metric": {"__name__": "h", "release": "b"}, "histograms": [[1.0, {"count": "3"}]]}
    with serving({QUERY: lambda: (200, {}, answer([native]))}) as url:
        arms = ("--canary", B, "--baseline", A, "--latency", "h")
        said = lonely("judge", "--prometheus", url, *arms)
    assert said.code == 2
    assert "native histogram" in said.err
    assert "classic" in said.err


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ((), "FILE"),
        (("-", "--canary", B), "--canary is for --prometheus"),
        (("-", "--for", "1h"), "--for is for --prometheus"),
        (("-", "--prometheus", "http://x"), "not both"),
        (("--prometheus", "http://x", "--canary", B), "--baseline"),
        (("--prometheus", "http://x", "--canary", B, "--baseline", A), "--errors"),
    ],
)
def test_options_that_do_not_fit_are_refused(lonely, typed, told):
    """A file or a Prometheus, with what belongs to it."""
    said = lonely("judge", *typed, sent="")
    assert said.code == 2
    assert told in said.err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--start", "2h", "--for", "1h"), "--start and --for"),
        (("--end", "2h", "--follow"), "--follow"),
        (("--start", "1h", "--end", "2h"), "earlier"),
        (("--headers", "none"), "none cannot be read"),
        (("--plan", "list"), "list"),
        (("--plan", "bad"), "nobody reads the key"),
        (("--record", "list"), "list cannot be written"),
    ],
)
def test_times_and_files_that_do_not_fit_are_refused(lonely, more, told):
    """What contradicts itself or cannot be read is said before anybody is asked."""
    (lonely.folder / "list").write_text("[]")
    (lonely.folder / "bad").write_text('{"margin": 1}')
    said = ask(lonely, "http://127.0.0.1:1", *more)
    assert said.code in {2, 30}
    assert told in said.err


def test_following_outlasts_a_fault_and_may_be_left(lonely):
    """A Prometheus that fails for a moment is asked again; Ctrl-C says that nothing was changed."""
    answers = iter([(503, {}, FAILED % b"starting")])
    with serving({QUERY: lambda: next(answers, (200, {}, answer()))}) as url:
        arms = ("--canary", B, "--baseline", A, "--errors", BAD)
        asked = ("judge", "--prometheus", url, *arms, "--follow")
        left = lonely.leave(*asked, at="both arms were not scraped twice yet")
    assert left.code == 130
    assert "starting. It is asked again." in left.err
    assert "Nothing was changed" in left.err
