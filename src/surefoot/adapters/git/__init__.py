"""Source from git: a bare mirror for each service, and the only place that runs git.

Three rules for this room. Git gets an argv list, a clean environment and no configuration but
ours, so that what a repository or a home directory says cannot start a program. A revision is
validated before git sees it. And the mirror never throws anything away: a commit that was pushed
over may still be the one that runs.
"""

from surefoot.adapters.git.commits import diff_identity
from surefoot.adapters.git.scm import GitScm

__all__ = ["GitScm", "diff_identity"]
