"""What makes decisions happen: one loop that observes, decides, writes down, acts.

Lives here: the driver, the one-second watch, the acts, the lock. What never does: a concrete
adapter's name, SQL, HTTP; those stand behind the ports.
"""
