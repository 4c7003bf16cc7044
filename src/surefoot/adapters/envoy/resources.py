"""What Envoy is told, as plain values: bootstrap, clusters and listeners.

Names have no dots, since Envoy cuts a metric's label at the first one. `svc__shop__r2` is release
2 of shop and nothing else, so what is counted there was answered there; `arm__shop__r2_r1` is what
routes point to: release 2, and when it cannot answer, release 1. An arm's name tells its members,
so neither kind of cluster ever has to change while users meet it.
"""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot.domain.manifest import Address

__all__ = [
    "Json",
    "Leaf",
    "arm_name",
    "bootstrap",
    "cluster_of_arm",
    "cluster_of_leaf",
    "leaf_name",
    "listener",
    "listener_name",
    "releases_of",
]

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy"
_NO_LIMIT = 100_000
_RETRIES_AT_ONCE = 1_000  # the default of 3 lets a dead release's errors through to users
_STREAM_IDLE = "3600s"  # the only limit on a silent stream; a route's own would cut downloads
_UPSTREAM_IDLE = "1.5s"  # below the keep-alive time of common servers, so that they never race us


@dataclass(frozen=True, slots=True)
class Leaf:
    """A release as a cluster of its own, asked at `health` as long as it lives."""

    release: int
    addresses: tuple[Address, ...]
    health: str


def leaf_name(service: str, release: int) -> str:
    """The cluster that is one release and nothing else."""
    return f"svc__{service}__r{release}"


def arm_name(service: str, members: tuple[int, ...]) -> str:
    """The cluster that tries these releases in this order."""
    return f"arm__{service}__" + "_".join(f"r{release}" for release in members)


def releases_of(cluster: str) -> tuple[int, ...]:
    """The releases behind a cluster's name, in the order in which they are tried."""
    return tuple(int(part[1:]) for part in cluster.rpartition("__")[2].split("_"))


def listener_name(service: str) -> str:
    """The listener where users of a service come in."""
    return f"in__{service}"


def bootstrap(folder: Path) -> Json:
    """How Envoy starts: everything else comes from files under `folder`."""
    return {
        "node": {"id": "surefoot", "cluster": "surefoot"},
        "admin": {"address": {"pipe": {"path": str(folder / "admin.sock"), "mode": 0o600}}},
        "dynamic_resources": {
            "cds_config": _from_file(folder / "cds" / "cds.json"),
            "lds_config": _from_file(folder / "lds" / "lds.json"),
        },
        "stats_flush_interval": "0.2s",  # histograms are as old as this
    }


def cluster_of_leaf(service: str, leaf: Leaf) -> Json:
    """A release's own cluster: counted for each endpoint, its health asked twice a second."""
    endpoints = [_endpoint(address) for address in leaf.addresses]
    name = leaf_name(service, leaf.release)
    return {
        "@type": f"{_TYPE}.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC" if all(_is_ip(each.host) for each in leaf.addresses) else "STRICT_DNS",
        "connect_timeout": "0.5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        "circuit_breakers": _no_limits(),
        "track_cluster_stats": {"per_endpoint_stats": True},
        "health_checks": [
            {
                "timeout": "1s",
                "interval": "0.5s",
                "no_traffic_interval": "0.5s",  # a warm release must be known to be well, too
                "healthy_threshold": 1,
                # One slow answer under load must not take a release out; what is really dead
                # refuses connections, and those are retried elsewhere before any check sees it.
                "unhealthy_threshold": 2,
                "http_health_check": {
                    "path": leaf.health,
                    "expected_statuses": [{"start": 200, "end": 400}],
                },
            }
        ],
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": _UPSTREAM_IDLE},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def cluster_of_arm(service: str, members: tuple[int, ...]) -> Json:
    """What routes point to: the first of these releases that can answer."""
    return {
        "@type": f"{_TYPE}.config.cluster.v3.Cluster",
        "name": arm_name(service, members),
        "connect_timeout": "0.5s",
        "lb_policy": "CLUSTER_PROVIDED",
        "circuit_breakers": _no_limits(),
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": f"{_TYPE}.extensions.clusters.aggregate.v3.ClusterConfig",
                "clusters": [leaf_name(service, release) for release in members],
            },
        },
    }


def listener(service: str, listen: Address, folder: Path, attempts: Path) -> Json:
    """Where users come in; invisible to the service as far as a proxy can be."""
    manager = {
        "@type": (
            f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
        ),
        "stat_prefix": listener_name(service),
        "rds": {
            "route_config_name": service,
            "config_source": _from_file(folder / "rds" / service / "rds.json"),
        },
        "http_filters": [_router(attempts)],
        "stream_idle_timeout": _STREAM_IDLE,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "server_header_transformation": "PASS_THROUGH",
        # An HTTP/1.0 client need not say which host it means.
        "http_protocol_options": {
            "accept_http_10": True,
            "default_host_for_http_10": "surefoot",
        },
        # What a balancer in front of us said in X-Forwarded-Proto stays: a service must not think
        # that its users lost TLS. The caller's address is added to X-Forwarded-For by the routes,
        # since Envoy itself writes this host's own for a balancer on the same host.
        "use_remote_address": True,
        "xff_num_trusted_hops": 1,
        "skip_xff_append": True,
        "preserve_external_request_id": True,  # that balancer's logs and ours must meet
    }
    return {
        "@type": f"{_TYPE}.config.listener.v3.Listener",
        "name": listener_name(service),
        "address": _socket(listen),
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }


def _router(attempts: Path) -> Json:
    """Passes requests on and writes a row for each attempt: no path, no address of a user."""
    row = {
        "start": "%START_TIME(%s.%6f)%",  # epoch seconds, as text
        "host": "%UPSTREAM_HOST%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "code": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "ms": "%DURATION%",
    }
    return {
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": f"{_TYPE}.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": True,
            "upstream_log": [
                {
                    "name": "envoy.access_loggers.file",
                    "typed_config": {
                        "@type": f"{_TYPE}.extensions.access_loggers.file.v3.FileAccessLog",
                        "path": str(attempts),
                        "log_format": {"json_format": row},
                    },
                }
            ],
        },
    }


def _from_file(path: Path) -> Json:
    """A source that is replaced by rename, which Envoy sees by watching the folder."""
    source = {"path": str(path), "watched_directory": {"path": str(path.parent)}}
    return {"resource_api_version": "V3", "path_config_source": source}


def _no_limits() -> Json:
    limits = {
        "max_connections": _NO_LIMIT,
        "max_pending_requests": _NO_LIMIT,
        "max_requests": _NO_LIMIT,
        "max_retries": _RETRIES_AT_ONCE,
    }
    return {"thresholds": [limits]}


def _endpoint(address: Address) -> Json:
    return {"endpoint": {"address": _socket(address)}}


def _socket(address: Address) -> Json:
    host = "127.0.0.1" if address.host == "localhost" else address.host
    return {"socket_address": {"address": host, "port_value": address.port}}


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return False
    return True
