"""Trees in folders: what cannot be checked out whole is refused, and nothing is half there."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from surefoot.adapters.git.run import plain
from surefoot.domain.errors import Refused

__all__ = ["discard", "empty", "no_pointers", "no_submodules", "put_in_place", "remove"]

LARGEST_POINTER = 1024  # an LFS pointer is shorter, by its specification
GITLINK = b"160000"
ATTRIBUTES = ".gitattributes"
REGULAR = (b"100644", b"100755")
LFS_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:")


def _listed(listing: bytes) -> Iterator[tuple[bytes, int, str]]:
    """Mode, size in bytes (0 for what is no file) and path of each entry of `ls-tree -l -z`."""
    for entry in listing.split(b"\0"):
        about, tab, path = entry.partition(b"\t")
        if tab:
            mode, _, _, size = about.split()
            yield mode, int(size) if size.isdigit() else 0, os.fsdecode(path)


def no_submodules(listing: bytes, tip: str) -> None:
    """Raise `Refused` when a listing (`ls-tree -r -l -z`) has a submodule."""
    for mode, _, path in _listed(listing):
        if mode == GITLINK:
            raise Refused(
                f"{tip[:12]} has a submodule at {plain(path)}, and Surefoot does not fetch "
                "submodules.",
                cure="Commit its files, or install them in the build.",
            )


def no_pointers(tree: Path, listing: bytes, tip: str) -> None:
    """Raise `Refused` when a file of this tree stands for one in Git LFS."""
    # Only files that `.gitattributes` gives to LFS are in LFS; most repositories end here.
    files = [(tree / path, size) for mode, size, path in _listed(listing) if mode in REGULAR]
    if not any(b"filter=lfs" in path.read_bytes() for path, _ in files if path.name == ATTRIBUTES):
        return
    for path, size in files:
        if size <= LARGEST_POINTER and _is_pointer(path):
            name = plain(str(path.relative_to(tree)))
            raise Refused(
                f"{tip[:12]} keeps {name} in Git LFS, and Surefoot does not fetch LFS files.",
                cure="Commit the file itself, or fetch it in the build.",
            )


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return LFS_POINTER.match(file.read(LARGEST_POINTER)) is not None


def empty(fresh: Path, index: Path) -> None:
    """An empty folder, and nothing left of an earlier try."""
    remove(fresh, index)
    fresh.mkdir(mode=0o700, parents=True)


def remove(fresh: Path, index: Path) -> None:
    """Neither the folder is there, nor the index or what locked it."""
    for leftover in (index, index.with_name(f"{index.name}.lock")):
        leftover.unlink(missing_ok=True)
    if fresh.exists():
        shutil.rmtree(fresh)


def discard(folder: Path) -> None:
    """A folder is gone: renamed at once, then removed. Raises `OSError`; asking again goes on."""
    gone = folder.with_name(f".{folder.name}.gone")
    for _ in range(2):  # what an earlier try left, then this one
        if gone.exists():
            for path, _, _ in os.walk(gone):
                Path(path).chmod(0o700)  # some builds make folders that nobody may write to
            shutil.rmtree(gone)
        if folder.exists():
            folder.rename(gone)


def put_in_place(fresh: Path, into: Path) -> None:
    """One folder stands where another stood, if one did."""
    if into.exists():
        shutil.rmtree(into)
    fresh.rename(into)
