"""What the proxy knows of each service: how users come in, and the releases it may reach.

Kept in one file beside Envoy's own, from which all clusters and listeners are made, so that a
daemon that starts anew leaves other services alone.
"""

from dataclasses import dataclass, replace

import msgspec

from surefoot.adapters.envoy.resources import (
    Json,
    Leaf,
    cluster_of_arm,
    cluster_of_leaf,
)
from surefoot.ports import Front

__all__ = ["Placed", "clusters", "decode", "encode", "moved"]


@dataclass(frozen=True, slots=True)
class Placed:
    """A service in the proxy.

    A leaf keeps the health path and addresses that it was made with: `front` may name others once
    a newer manifest is served, and the earlier release still answers where it always did.
    """

    front: Front
    leaves: tuple[Leaf, ...] = ()
    arms: tuple[tuple[int, ...], ...] = ()

    def leaf(self, release: int) -> Leaf | None:
        """A release as the proxy knows it."""
        return next((leaf for leaf in self.leaves if leaf.release == release), None)

    def serving(self, front: Front, needed: frozenset[int]) -> "Placed":
        """With the releases of `front`, and those that routes still need."""
        known = {leaf.release: leaf for leaf in self.leaves}
        leaves = {release: known[release] for release in needed & known.keys()}
        for arm in front.arms:
            leaf = Leaf(arm.release, arm.addresses, front.health)
            old = known.get(arm.release)
            leaves[arm.release] = old if old and old.addresses == leaf.addresses else leaf
        ordered = tuple(leaves[release] for release in sorted(leaves))
        return replace(self, front=front, leaves=ordered)

    def with_arms(self, arms: frozenset[tuple[int, ...]]) -> "Placed":
        """With exactly these arms."""
        return replace(self, arms=tuple(sorted(arms)))

    def needing(self, needed: frozenset[int]) -> "Placed":
        """Without releases that neither the front nor the routes name."""
        wanted = needed | {arm.release for arm in self.front.arms}
        return replace(self, leaves=tuple(each for each in self.leaves if each.release in wanted))


def moved(old: Placed | None, new: Placed) -> frozenset[int]:
    """Releases whose addresses are others than before."""
    if old is None:
        return frozenset()
    return frozenset(
        leaf.release
        for leaf in new.leaves
        if (before := old.leaf(leaf.release)) is not None and before != leaf
    )


def clusters(placed: Placed) -> list[Json]:
    """All clusters of a service."""
    service = placed.front.service
    leaves = [cluster_of_leaf(service, leaf) for leaf in placed.leaves]
    return leaves + [cluster_of_arm(service, members) for members in placed.arms]


def encode(placed: dict[str, Placed]) -> object:
    """For the file."""
    return msgspec.to_builtins(placed)


def decode(content: bytes) -> dict[str, Placed]:
    """From the file. Raises `msgspec.DecodeError` when it is not one of ours."""
    return msgspec.json.decode(content, type=dict[str, Placed])
