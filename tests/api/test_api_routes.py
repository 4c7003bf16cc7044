"""The route table over real HTTP: every route answers, and only to a token."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from recorded import HASH, IN_A_TRACE, Recorded, Served, served

from surefoot.api.operations import Operation
from surefoot.api.routes import ROUTES
from surefoot.engine.control import ShipOrder
from surefoot.ports import LogQuery

MANIFEST = '[service]\nname = "shop"\n'
REVISION = "a" * 40

BODIES = {
    "register": {"source": "/src/shop", "folder": "", "manifest": MANIFEST},
    "plan": {"revision": REVISION},
    "ship": {"revision": REVISION, "why": "stays out"},
    "hold": {"because": "market day"},
    "resume": {"because": "market day is over"},
    "drill_placebo": {"times": 2, "every_s": 86_400},
    "accept": {"because": "we looked at it"},
    "ask": {"question": "And in winter time?"},
    "new_token": {"name": "Cy Example", "email": "cy@example.org"},
}


@pytest.fixture
def control() -> Recorded:
    return Recorded()


@pytest.fixture
def api(control: Recorded) -> Iterator[Served]:
    with served(control) as address:
        address.send("POST", "/v1/services", BODIES["register"])
        address.send("POST", "/v1/services/shop/changes", BODIES["ship"])
        yield address


def concrete(path: str) -> str:
    return re.sub(r"\{number:int\}", "1", path).replace("{name}", "shop")


def named(route: Operation[Any]) -> str:
    return f"{route.method} {route.path}"


STRANGERS = [None, "Bearer", "Bearer nothing", "Bearer ", "Basic c2VjcmV0LW9mLWFubg=="]
ALL = [*((route.method, concrete(route.path)) for route in ROUTES), ("GET", "/v1/openapi.json")]


@pytest.mark.parametrize(("method", "path"), [*ALL, ("GET", "/v1/no/such/place")])
def test_no_answer_without_a_token(control: Recorded, api: Served, method: str, path: str) -> None:
    """Neither a route of the table, nor the document, nor a place that is not there."""
    orders = list(control.orders)
    for authorization in STRANGERS:
        headers = {"Authorization": authorization} if authorization else {}
        status, problem, response = api.send(method, path, {}, token=None, headers=headers)
        assert status == 401
        assert response.getheader("WWW-Authenticate") == 'Bearer realm="surefoot"'
        assert response.getheader("Content-Type") == "application/problem+json"
        assert problem["cure"]
    assert control.orders == orders


@pytest.mark.parametrize("route", [r for r in ROUTES if r.path != "/v1/events"], ids=named)
def test_every_route_answers_a_token(api: Served, route: Operation[Any]) -> None:
    """Each row of the table reaches the control plane and comes back in its own type."""
    asked = BODIES.get(route.answer.__name__.removeprefix("_"), {})
    body = None if route.takes_query else asked
    token = "secret-of-bo" if "approve" in route.path else "secret-of-ann"
    status, answer, response = api.send(route.method, concrete(route.path), body, token=token)
    assert status == route.status, answer
    assert response.getheader("Content-Type", "").partition(";")[0] == route.media
    if route.media == "application/json":
        assert set(answer) == set(fields(route.gives))


def fields(kind: type) -> list[str]:
    found: list[str] = getattr(kind, "__match_args__", [])
    return found


def test_an_order_carries_the_person_of_its_token(control: Recorded, api: Served) -> None:
    """Who ordered is the token's person, whatever the body says."""
    api.send("POST", "/v1/services/shop/hold", BODIES["hold"], token="secret-of-bo")
    assert control.ledger[-1].by == "Bo Example <bo@example.org>"


def test_what_is_shipped_arrives_whole(control: Recorded, api: Served) -> None:
    """Intent, metrics, expectations and the fixed change reach the control plane."""
    body = {
        "revision": REVISION,
        "why": "faster",
        "watch": ["export_errors"],
        "expect": ["export_p95 falls by 10%"],
        "fixes": 1,
        "forward_only": True,
    }
    status, change, _ = api.send("POST", "/v1/services/shop/changes", body)
    assert status == 201
    assert (change["why"], change["watch"], change["fixes"]) == ("faster", ["export_errors"], 1)
    assert change["forward_only"] is True
    _, order = control.orders[-1]
    assert isinstance(order, ShipOrder)
    assert order.intent.expect == ("export_p95 falls by 10%",)
    assert order.intent.forward_only
    assert not order.adopt


def test_placebo_runs_are_ordered_and_ended(control: Recorded, api: Served) -> None:
    """How many and how often reach the control plane; none, none at once and forever do not."""
    place = "/v1/services/shop/drill/placebo"
    assert api.send("POST", place, {"times": 2, "every_s": 86_400})[1]["drill"]
    assert control.orders[-1] == ("drill", (2, 86_400.0))
    assert api.send("DELETE", place)[1]["drill"] is None
    assert control.orders[-1] == ("drill", (0, 0.0))
    for body in ({"times": 0}, {"times": 1001}, {"every_s": -1}, {"every": 1}):
        assert api.send("POST", place, body)[0] == 422
    assert api.send("POST", "/v1/services/none/drill/placebo", {})[0] == 404


def test_what_was_learnt_is_told_of_one_service_or_all(api: Served) -> None:
    """With the rate of false alarms, its interval, and phi with its source."""
    _, learnt, _ = api.send("GET", "/v1/learn?service=shop")
    (shop,) = learnt["services"]
    assert (shop["service"], shop["false_alarms"]["high"]) == ("shop", 0.71)
    assert shop["phis"] == [{"metric": "errors", "phi": 1.35, "source": "placebo runs"}]
    assert api.send("GET", "/v1/learn?service=none")[0] == 404


def test_the_log_takes_every_filter(control: Recorded, api: Served) -> None:
    """Each query parameter arrives in its type."""
    query = "service=shop&since=10.5&author=ann&outcome=restored&path=a.py&serving_at=20&limit=3"
    status, _, _ = api.send("GET", f"/v1/changes?{query}")
    assert status == 200
    asked = control.orders[-1][1]
    assert isinstance(asked, LogQuery)
    assert (asked.service, asked.since, asked.serving_at, asked.limit) == ("shop", 10.5, 20.0, 3)
    assert (asked.author, asked.outcome, asked.path) == ("ann", "restored", "a.py")


def test_the_adopted_release_is_number_0_of_a_service(api: Served) -> None:
    """Number 0 is found with its service, and nowhere without."""
    assert api.send("GET", "/v1/changes/0?service=shop")[1]["phase"] == "adopted"
    assert api.send("GET", "/v1/changes/0")[0] == 404


def test_no_answer_holds_a_secret_or_its_hash(api: Served) -> None:
    """A new token's secret is shown once; no list shows it, nor any hash."""
    _, made, _ = api.send("POST", "/v1/tokens", BODIES["new_token"])
    _, listed, response = api.send("GET", "/v1/tokens")
    assert made["secret"]
    assert listed["tokens"][-1] == made["token"]
    for secret in (made["secret"], HASH, "secret-of-ann"):
        assert secret not in str(listed)
        assert secret not in str(response.headers)


def test_a_closed_token_opens_nothing(api: Served) -> None:
    """After its revocation a token is refused like any unknown one."""
    assert api.send("GET", "/v1/whoami", token="secret-of-bo")[1]["name"] == "Bo Example"
    assert api.send("DELETE", "/v1/tokens/2")[1] == {"says": ["Token 2 is closed."]}
    assert api.send("GET", "/v1/whoami", token="secret-of-bo")[0] == 401


@pytest.mark.parametrize(
    ("why", "status", "title", "cure"),
    [
        ("is refused", 409, "Refused", "surefoot ship --fixes 7"),
        ("is refused by git", 422, "This revision cannot be used", "git push"),
        ("is of somebody else", 403, "Somebody else must do this", "Ask ann@example.org."),
        ("meets a full disk", 503, "Something outside", "Look at the disk."),
    ],
)
def test_a_no_says_what_and_how_on(
    api: Served, why: str, status: int, title: str, cure: str
) -> None:
    """Each refusal is a problem with its own status, its sentence and its cure."""
    body = {"revision": REVISION, "why": why}
    given, problem, response = api.send("POST", "/v1/services/shop/changes", body)
    assert response.getheader("Content-Type") == "application/problem+json"
    assert (given, problem["status"], problem["cure"]) == (status, status, cure)
    assert problem["title"].startswith(title)
    assert problem["detail"]


def test_a_malformed_manifest_names_its_line(api: Served) -> None:
    """A manifest that cannot be used is 422, with file and line."""
    body = {"source": "/src/shop", "manifest": "[service]"}
    status, problem, _ = api.send("POST", "/v1/services", body)
    assert status == 422
    assert problem["detail"].startswith("surefoot.toml:1:")


def test_the_unforeseen_tells_nothing_of_the_inside(api: Served) -> None:
    """An answer to a fault of our own holds no trace, no text of it, and a cure."""
    body = {"revision": REVISION, "why": "is unforeseen"}
    status, problem, _ = api.send("POST", "/v1/services/shop/changes", body)
    assert status == 500
    assert IN_A_TRACE not in str(problem)
    assert "ZeroDivision" not in str(problem)
    assert problem["cure"]


@pytest.mark.parametrize("path", ["/v1/changes/99", "/v1/services/none", "/v1/x", "/v1/services/"])
def test_what_is_not_there_is_404(api: Served, path: str) -> None:
    """Unknown changes, services and places are problems too, and nothing is redirected."""
    status, problem, _ = api.send("GET", path)
    assert (status, problem["status"]) == (404, 404)


def test_a_method_that_a_route_has_not_is_405(api: Served) -> None:
    """The answer is a problem, and says what is allowed."""
    status, problem, response = api.send("PUT", "/v1/services", {})
    assert (status, problem["status"]) == (405, 405)
    assert response.getheader("Allow")


def test_the_document_describes_every_route(api: Served) -> None:
    """OpenAPI 3.1: each row with its summary, its types, and no reference that leads nowhere."""
    status, document, _ = api.send("GET", "/v1/openapi.json")
    assert status == 200
    assert document["openapi"].startswith("3.1")
    described = {
        (method.upper(), path) for path, rows in document["paths"].items() for method in rows
    }
    assert described == {(r.method, r.path.replace(":int", "")) for r in ROUTES}
    schemas = document["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", str(document))) <= set(schemas)
    assert set(schemas["ChangeStatus"]["properties"]) >= {"sentence", "exit_code", "next"}
    operations = [one for rows in document["paths"].values() for one in rows.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] for one in operations)
    assert "hashed" not in str(document)
