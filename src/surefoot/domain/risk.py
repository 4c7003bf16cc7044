"""What alters data: traffic can go back from it, data cannot."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

__all__ = ["ONE_WAY", "data_paths", "names_no_file", "no_longer_named"]

ONE_WAY = "traffic can go back, data cannot"


def data_paths(files: Iterable[str], patterns: Iterable[str], folder: str) -> tuple[str, ...]:
    """The files that a `[risk] data` pattern names, in their order.

    Files count from the repository's root; a pattern counts from there or from `folder`, where
    `surefoot.toml` stands. The pattern of a folder names all that is below it.
    """
    forms = {form for pattern in patterns for form in _forms(pattern)}
    return tuple(file for file in files if any(_names(form, file, folder) for form in forms))


def names_no_file(patterns: Iterable[str]) -> tuple[str, ...]:
    """The patterns that no file of a repository can have, such as `../db/**`."""
    return tuple(one for one in patterns if {"", ".", ".."} & set(_forms(one)[0].split("/")))


def no_longer_named(before: Iterable[str], proposed: Iterable[str]) -> tuple[str, ...]:
    """The patterns that guarded data before, and that the proposed manifest leaves out."""
    return tuple(dict.fromkeys(one for one in before if one not in set(proposed)))


def _forms(pattern: str) -> tuple[str, str]:
    """`**/` may stand for no folder at all."""
    bare = pattern.removeprefix("./").strip("/")
    return bare, bare.replace("**/", "")


def _names(form: str, file: str, folder: str) -> bool:
    inside = file.removeprefix(f"{folder}/")
    return any(fnmatchcase(place, form) for one in {file, inside} for place in _with_folders(one))


def _with_folders(file: str) -> list[str]:
    """A file, and each folder that it lies in."""
    parts = file.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
