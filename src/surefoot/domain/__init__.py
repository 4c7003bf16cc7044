"""Pure decisions on one change and its lane.

What lives here: the words of the product as values, the table of phases, the story of a change.
What never does: a clock, dice, I/O, a third-party library. The test of membership: given the same
facts it answers the same, on any machine, at any time.
"""
