"""The real world behind the ports. Adapters are strangers to each other.

Lives here: what speaks to git, processes, Envoy, the keeper, metrics pages, SQLite. What never
does: a decision about a change.
"""
