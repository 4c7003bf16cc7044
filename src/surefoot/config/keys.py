"""Every key of `surefoot.toml`, once: its kind, default, unit and meaning.

The parser and the docs both draw from this table, so that neither can forget a key.
"""

from dataclasses import dataclass

__all__ = ["KEYS", "Key"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `place` is its dotted name with `NAME` for what the team names."""

    place: str
    kind: str
    default: str
    meaning: str


KEYS: tuple[Key, ...] = (
    Key("service.name", "name", "required", "the service's name"),
    Key("service.listen", "listen", "required", "IP:port where users come in"),
    Key(
        "service.upstream",
        "address",
        "none",
        "what runs today, on 127.0.0.1: `adopt` leaves it alone and stands in front of it",
    ),
    Key("release.build", "argv", "none", "makes the release, in its own checkout"),
    Key("release.run", "argv", "required", "starts one instance; it gets PORT"),
    Key("release.health", "path", '"/"', "answers 2xx or 3xx when an instance is ready"),
    Key("release.metrics", "path", "none", "the instance's own figures, as Prometheus text"),
    Key("release.warm", "paths", "the health path", "asked before any user meets the release"),
    Key("release.instances", "count", "1", "processes side by side"),
    Key("release.env", "table", "{}", "environment of the release"),
    Key("release.env_file", "file", "none", "absolute file of secrets on the server, mode 0600"),
    Key("release.ready", "limit", '"60s"', "how long an instance may take to be ready"),
    Key("release.stop_timeout", "duration", '"10s"', "from SIGTERM to SIGKILL"),
    Key("checks.NAME.run", "argv", "required", "must exit 0 before exposure"),
    Key("checks.NAME.time_limit", "limit", '"30m"', "after which its process group is ended"),
    Key(
        "checks.NAME.coverage",
        "report",
        "none",
        "an LCOV tracefile that it leaves; see [Untested lines](#untested-lines)",
    ),
    Key("metrics.NAME.kind", "kind", "none", "ratio, latency, gauge or counter"),
    Key("metrics.NAME.bad", "selector", "none", "ratio: counts what is bad"),
    Key("metrics.NAME.good", "selector", "none", "ratio: counts what is good, instead of bad"),
    Key("metrics.NAME.total", "selector", "none", "ratio: counts everything"),
    Key("metrics.NAME.histogram", "selector", "none", "latency: a histogram in seconds"),
    Key("metrics.NAME.gauge", "selector", "none", "gauge: a value that goes up and down"),
    Key("metrics.NAME.counter", "selector", "none", "counter: for expectations"),
    Key("metrics.NAME.worse", "worse", '"higher"', "which direction is worse: higher or lower"),
    Key(
        "metrics.NAME.margin_ratio", "ratio", "tightest", "times as high as the old release at most"
    ),
    Key("metrics.NAME.margin_points", "points", "tightest", "percentage points more at most"),
    Key("rollout.steps", "steps", '"auto"', "shares to climb, such as [0.1, 0.5]"),
    Key("rollout.warm_up", "duration", '"10s"', "first seconds that only gross harm is judged by"),
    Key("rollout.time_limit", "limit", '"15m"', "from the first user until a person is asked"),
    Key("rollout.answer_within", "duration", '"30m"', "how long that person may take"),
    Key("rollout.on_inconclusive", "inconclusive", '"restore"', "then: restore or hold"),
    Key("rollout.soak", "duration", '"10m"', "how long the old release stays warm"),
    Key("rollout.largest_margin", "points", "5.0", "widest margin in points; 10 is the widest"),
    Key("rollout.blind_limit", "limit", '"30s"', "without telemetry, then it is given back"),
    Key("rollout.undo_drain", "duration", '"5s"', "for open requests after the switch back"),
    Key("traffic.sticky", "sticky", '"off"', 'off, cookie, or "header:NAME"'),
    Key("traffic.timeout", "timeout", '"off"', "time limit of an answer, or off"),
    Key("risk.data", "globs", "[]", "paths that alter data: traffic can go back, data cannot"),
    Key("team.members", "people", "[]", "who may ship and review"),
    Key("team.review", "review", '"before"', "before, after or off"),
    Key("notify.run", "argv", "none", "tells the team; see [Telling the team](#telling-the-team)"),
)
