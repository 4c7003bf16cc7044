"""What people write, read and validated at the edge.

Lives here: parsing text into the domain's values, with errors that name file, line and cure. What
never does: acting on any of it.
"""
