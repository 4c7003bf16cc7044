"""What is shown of evidence, for every face: figures in words, and courses as lines.

It is pure: values in, text out. What others wrote is never markup in it.
"""
