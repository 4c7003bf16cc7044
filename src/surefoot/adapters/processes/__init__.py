"""Releases as processes on this host, kept alive by a supervisor that is not the daemon.

Lives here: the exec shim, the supervisor's driver, the `Target` port over both, and what /proc
says of a process. What never does: traffic, metrics, a decision about a change.
"""

from surefoot.adapters.processes.supervisor import SupervisorPrograms
from surefoot.adapters.processes.target import ProcessTarget

__all__ = ["ProcessTarget", "SupervisorPrograms"]
