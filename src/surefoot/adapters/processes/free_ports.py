"""Ports for instances: outside the range that the kernel lends to connections, and free."""

import errno
import socket
import zlib
from collections.abc import Collection

from surefoot.adapters.processes.procfs import ephemeral_ports
from surefoot.domain.errors import OutsideFailed
from surefoot.domain.manifest import Address

__all__ = ["choose_ports", "default_ports", "in_use"]

_WIDTH = 10_000
_LOWEST = 1024  # below, only root may listen


def default_ports() -> range:
    """The 10,000 ports just below the ephemeral ones, or as many above them as there are."""
    lent = ephemeral_ports()
    if lent.start - _LOWEST >= _WIDTH:
        return range(lent.start - _WIDTH, lent.start)
    return range(lent.stop, 65_536)


def in_use(address: Address) -> bool:
    """Whether somebody listens at this address now, even one who would share it."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address.host, address.port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def choose_ports(ports: range, count: int, taken: Collection[int], where: str) -> tuple[int, ...]:
    """The next `count` free ports, looked for from a place that `where` decides.

    Each release starts its search elsewhere, so that two installations on one host seldom meet.

    Raises:
        OutsideFailed: the range has not that many free ports.
    """
    lent = ephemeral_ports()
    start = zlib.crc32(where.encode()) % max(1, len(ports))
    found: list[int] = []
    for step in range(len(ports)):
        if len(found) == count:
            break
        port = ports[(start + step) % len(ports)]
        if port not in taken and port not in lent and _free(port):
            found.append(port)
    if len(found) < count:
        raise OutsideFailed(
            f"Between {ports.start} and {ports.stop - 1} there are not {count} free ports.",
            cure="End what listens there, or narrow net.ipv4.ip_local_port_range to leave room.",
        )
    return tuple(found)


def _free(port: int) -> bool:
    for family, everywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 -- bound for a moment, never listened on
        try:
            with socket.socket(family, socket.SOCK_STREAM) as trial:
                # Connections of a release that ended a moment ago do not keep its port.
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                trial.bind((everywhere, port))
        except OSError:
            if family == socket.AF_INET or socket.has_dualstack_ipv6():
                return False
    return True
