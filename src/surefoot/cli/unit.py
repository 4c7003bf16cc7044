"""A systemd unit that keeps this very installation up: with its interpreter, home and PATH."""

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["unit"]

_UNIT = """\
# {place}
[Unit]
Description=Surefoot, the control plane in {home}
{after}StartLimitIntervalSec=0

[Service]
Type=exec
{user}{environment}
ExecStart={surefoot} up --foreground{listen}
# Releases, proxy and keeper go on serving when the control plane stops or dies.
KillMode=process
# One release that runs out of memory must not end the others.
OOMPolicy=continue
Restart=on-failure
RestartSec=2
TimeoutStopSec=90
LimitNOFILE=65536
TasksMax=infinity

[Install]
WantedBy={target}
"""

_AFTER_THE_NETWORK = "Wants=network-online.target\nAfter=network-online.target\n"
_PLACES = {
    "user": "~/.config/systemd/user/surefoot.service, then: "
    "systemctl --user enable --now surefoot; loginctl enable-linger",
    "system": "/etc/systemd/system/surefoot.service, then: systemctl enable --now surefoot",
}
_TARGETS = {"user": "default.target", "system": "multi-user.target"}
_PASSED_ON = ("PATH", "LANG", "TZ", "SUREFOOT_ENVOY")  # what releases and checks get from here


def unit(
    kind: str, home: Path, listen: str | None, environment: Mapping[str, str] = os.environ
) -> str:
    """The text of a unit; `kind` is "user" or "system", the latter for the user who asks."""
    passed_on = {name: environment[name] for name in _PASSED_ON if name in environment}
    settings = {"SUREFOOT_HOME": str(home), **passed_on}
    lines = (f"Environment={_quoted(f'{name}={value}')}" for name, value in settings.items())
    return _UNIT.format(
        place=_PLACES[kind],
        home=str(home).replace("%", "%%"),
        after=_AFTER_THE_NETWORK if kind == "system" else "",
        user=f"User={getpass.getuser()}\n" if kind == "system" else "",
        environment="\n".join(lines),
        surefoot=f"{_quoted(sys.executable)} -m surefoot",
        listen=f" --listen {_quoted(listen)}" if listen else "",
        target=_TARGETS[kind],
    )


def _quoted(text: str) -> str:
    """One word of a unit file: systemd expands %, $ and backslashes (systemd.service(5))."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{plain}"'
