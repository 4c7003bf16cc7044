"""Traffic through one Envoy, steered by files, with the keeper as the only writer of routes.

Lives here: what Envoy is told, in which order, and how it is proven. What never does: a decision
about a share.
"""

from surefoot.adapters.envoy.binary import envoy_binary
from surefoot.adapters.envoy.keeping import KeeperClient
from surefoot.adapters.envoy.traffic import EnvoyTraffic

__all__ = ["EnvoyTraffic", "KeeperClient", "envoy_binary"]
