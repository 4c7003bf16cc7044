"""The keeper: a small process that alone writes the traffic routes and holds the dead-man's lease.

Lives here: putting routes in place, proving it, giving a service back when nobody renews its lease.
What never does: a decision about a change, a share or a release. Standard library only; nothing
else of Surefoot is imported, so that no fault of the control plane is a fault of the keeper.
"""
