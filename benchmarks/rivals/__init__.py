"""What other tools decide by, ported as rules, so that all can judge the same simulated traffic.

One module for each tool. Each port follows the tool's published source and documentation, which
its docstring names; none is copied from them. `benchmarks/compare.py` runs them.
"""
