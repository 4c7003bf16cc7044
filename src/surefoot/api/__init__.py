"""The control plane over HTTP: translates, decides nothing.

Lives here: one table of routes, what they take and give, and the edge that every request passes.
What never does: a decision about a change, or a name of a concrete part; `Control` is the one door.
"""
