"""Routes as Envoy has them: made from a `Routes` value, and read back into one."""

from collections.abc import Mapping

from surefoot.adapters.envoy.resources import Json, arm_name, leaf_name, releases_of
from surefoot.ports import Front, Routes

__all__ = [
    "ANSWERED_BY",
    "PRIVATE_HEADER",
    "arms_of",
    "has_private",
    "route_configuration",
    "routes_from",
]

PRIVATE_HEADER = "x-surefoot-private"
ANSWERED_BY = "x-surefoot-answered-by"

# Shares are written in millionths, so that any share with six decimals is read back as ordered.
_WHOLE = 1_000_000
_SAFE_METHODS = "GET|HEAD|OPTIONS"
_OWN_HEADERS = ("x-envoy-external-address", "x-envoy-internal")  # no service asked for them
_CALLER = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"
_COOKIE_AGE_S = 30 * 24 * 3600


def arms_of(routes: Routes) -> frozenset[tuple[int, ...]]:
    """The arms that these routes point to: releases in the order in which they are tried."""
    live = _live_arm(routes)
    if routes.candidate is None:
        return frozenset({live})
    return frozenset({live, (routes.candidate, routes.live)})


def route_configuration(front: Front, routes: Routes | None, private: Mapping[str, int]) -> Json:
    """All routes of a service; `private` takes whoever knows a token to that release.

    Without `routes` users are told that no release takes traffic yet.
    """
    own = [_private_route(front, token, release) for token, release in private.items()]
    users = _closed(front) if routes is None else _user_routes(front, routes)
    return {
        "name": front.service,
        "virtual_hosts": [{"name": front.service, "domains": ["*"], "routes": own + users}],
        "request_headers_to_add": [_header("x-forwarded-for", _CALLER)],
        "request_headers_to_remove": list(_OWN_HEADERS),
    }


def routes_from(service: str, configuration: Json) -> Routes | None:
    """Read back what a RouteConfiguration does with users; the change is not written in it."""
    for route in configuration["virtual_hosts"][0]["routes"]:
        action = route.get("route", {})
        if "weighted_clusters" in action:
            old, new = action["weighted_clusters"]["clusters"]
            candidate = releases_of(new["name"])[0]
            live, *others = releases_of(old["name"])
            spare = next((each for each in others if each != candidate), None)
            return Routes(service, live, candidate, new.get("weight", 0) / _WHOLE, spare)
        if action.get("cluster", "").startswith("arm__"):
            live, *others = releases_of(action["cluster"])
            return Routes(service, live, spare=others[0] if others else None)
    return None


def has_private(configuration: Json) -> bool:
    """Whether somebody who knows a token could still choose a release."""
    return PRIVATE_HEADER in str(configuration["virtual_hosts"][0]["routes"])


def _live_arm(routes: Routes) -> tuple[int, ...]:
    """A spare has proven itself before, a candidate not yet: so it comes last."""
    tried = (routes.live, routes.spare, routes.candidate)
    return tuple(release for release in tried if release is not None)


def _private_route(front: Front, token: str, release: int) -> Json:
    """One release, alone and without retries: an answer must be its own."""
    known = {"name": PRIVATE_HEADER, "string_match": {"exact": token}}
    return {
        "match": {"prefix": "/", "headers": [known]},
        "route": {"cluster": leaf_name(front.service, release), "timeout": "0s"},
        "request_headers_to_remove": [PRIVATE_HEADER],
        "response_headers_to_add": [_header(ANSWERED_BY, "%UPSTREAM_CLUSTER%")],
    }


def _closed(front: Front) -> list[Json]:
    says = f"No release of {front.service} takes traffic yet.\n"
    answer = {"status": 503, "body": {"inline_string": says}}
    return [{"match": {"prefix": "/"}, "direct_response": answer}]


def _user_routes(front: Front, routes: Routes) -> list[Json]:
    """Safe methods may be tried again after a reset; others only if nothing was sent yet."""
    action = {
        "timeout": "0s" if front.timeout_s is None else f"{front.timeout_s:g}s",
        **_split(front, routes),
    }
    safe = {"name": ":method", "string_match": {"safe_regex": {"regex": _SAFE_METHODS}}}
    pairs = [
        ([safe], action | {"retry_policy": _retry("connect-failure,refused-stream,reset")}),
        (
            [],
            action
            | {"retry_policy": _retry("connect-failure,refused-stream,reset-before-request")},
        ),
    ]
    made = [_route(matches, action) for matches, action in pairs]
    if front.sticky != "cookie" or routes.candidate is None:
        return made
    newcomers = [_route([_without(_cookie(routes)), *m], action) for m, action in pairs]
    return [route | _welcome(_cookie(routes)) for route in newcomers] + made


def _route(headers: list[Json], action: Json) -> Json:
    return {"match": {"prefix": "/", "headers": headers}, "route": action}


def _split(front: Front, routes: Routes) -> Json:
    live = arm_name(front.service, _live_arm(routes))
    if routes.candidate is None:
        return {"cluster": live}
    share = round(routes.share * _WHOLE)
    # Always both and in this order: a share that rises then moves users only from old to new.
    clusters = [
        {"name": live, "weight": _WHOLE - share},
        {"name": arm_name(front.service, (routes.candidate, routes.live)), "weight": share},
    ]
    if front.sticky == "off":
        return {"weighted_clusters": {"clusters": clusters}}
    if front.sticky == "cookie":
        key = {"cookie": {"name": _cookie(routes)}, "terminal": True}
    else:
        key = {
            "header": {"header_name": front.sticky.removeprefix("header:")},
            "terminal": True,
        }
    return {
        "weighted_clusters": {"clusters": clusters, "use_hash_policy": True},
        "hash_policy": [key, {"header": {"header_name": "x-request-id"}}],
    }


def _cookie(routes: Routes) -> str:
    """Named per change: with one name for ever, the same users would meet every canary."""
    return f"surefoot_{routes.service}_{routes.change or 0}"


def _without(cookie: str) -> Json:
    return {
        "name": "cookie",
        "string_match": {"contains": f"{cookie}="},
        "invert_match": True,
        "treat_missing_header_as_empty": True,
    }


def _welcome(cookie: str) -> Json:
    """The first request is drawn by its id; keeping the id as the cookie keeps the draw."""
    value = f"{cookie}=%REQ(x-request-id)%; Path=/; Max-Age={_COOKIE_AGE_S}; HttpOnly; SameSite=Lax"
    return {"response_headers_to_add": [_header("set-cookie", value)]}


def _header(key: str, value: str) -> Json:
    return {"header": {"key": key, "value": value}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}


def _retry(on: str) -> Json:
    """Twice, and the second time at the other release."""
    kind = "type.googleapis.com/envoy.extensions.retry"
    return {
        "retry_on": on,
        "num_retries": 2,
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {
                "@type": f"{kind}.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                "update_frequency": 1,
            },
        },
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {"@type": f"{kind}.host.previous_hosts.v3.PreviousHostsPredicate"},
            }
        ],
        "host_selection_retry_max_attempts": "3",
    }
