"""Pure numbers: ticks in, verdict out.

What lives here: rows of evidence, the plan of a judgement, the evidence itself as capital that
cannot grow by luck, the four words it leads to, and the forecast of when. What never does: a
clock, dice, I/O, a third-party library. The test of membership: fed the same rows, in whatever
portions and on whatever machine, it answers the same; a statistician could read it alone.

Read `judge.py` first, then `evidence.py`: one factor carries everything.
"""
