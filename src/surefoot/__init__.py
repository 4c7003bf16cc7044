"""Surefoot takes each small change from commit to verified in production.

Ship small. Watch it live. Restore fast. The house is described in `docs/architecture.md`.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
