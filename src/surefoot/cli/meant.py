"""Which service a command means: the one named, or that of the current folder."""

from surefoot.cli.client import Daemon
from surefoot.cli.here import Here, here
from surefoot.domain.errors import Refused

__all__ = ["known_here", "the_service"]


def the_service(daemon: Daemon, named: str | None) -> str:
    """The service that is meant: the one named, that of this folder, or the only one there is.

    Raises:
        Refused: several are known, and neither name nor folder tells which.
    """
    if named:
        return named
    try:
        return here().service
    except Refused as nowhere:
        known = [str(service["name"]) for service in daemon.get("/v1/services")["services"]]
        if len(known) == 1:
            return known[0]
        raise Refused(
            "It is not said which service is meant.",
            cure=f"Name one ({', '.join(known) or 'none is known yet'}), or go to its folder.",
        ) from nowhere


def known_here(daemon: Daemon) -> Here:
    """The service of this folder, made known to the daemon; again is the same."""
    place = here()
    body = {"source": place.source, "folder": place.folder, "manifest": place.manifest}
    daemon.post("/v1/services", body)
    return place
