"""The demo: three changes of a small shop, told live on real parts.

It stands outside of Surefoot and drives it as two people would: through the HTTP API, each with a
token of their own. Of Surefoot it imports nothing.
"""
