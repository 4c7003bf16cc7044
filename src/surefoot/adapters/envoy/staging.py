"""Files that Envoy reads, written by this control plane only as long as it is the newest.

All come through a folder named after the epoch. A newer control plane renames that folder away, so
that whatever an older one still moves fails in the kernel, even if it was frozen in between.
"""

import contextlib
import json
import os
from pathlib import Path

from surefoot.domain.errors import OutsideFailed, Relieved

__all__ = ["Staging"]


class Staging:
    """The right to write under `folder`, for one epoch."""

    def __init__(self, folder: Path, epoch: int) -> None:
        self._folder = folder
        self._stage = folder / f"stage.{epoch}"
        self._epoch = epoch

    def take_over(self) -> None:
        """Take the folder from an earlier epoch. Raises `Relieved` when a later one has it."""
        while not self._stage.is_dir():
            held = max(
                (int(each.suffix[1:]) for each in self._folder.glob("stage.*")), default=None
            )
            if held is not None and held > self._epoch:
                raise Relieved(f"Epoch {held} steers the proxy now; this is {self._epoch}.")
            # Another one may be quicker: then look again at who has it.
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                if held is None:
                    self._stage.mkdir(mode=0o700)
                else:
                    (self._folder / f"stage.{held}").rename(self._stage)
        with contextlib.suppress(FileNotFoundError):  # a later one took it: the next write says so
            for half_written in self._stage.iterdir():
                half_written.unlink()

    def write(self, path: Path, content: object) -> None:
        """Replace a JSON file at once and whole. Raises `Relieved` when the right is gone."""
        staged = self._stage / f"{path.name}.{os.getpid()}"
        try:
            staged.write_text(json.dumps(content), encoding="utf-8")
            staged.replace(path)
        except FileNotFoundError as error:
            raise Relieved(f"A newer control plane than epoch {self._epoch} is at work.") from error
        except OSError as error:
            raise OutsideFailed(
                f"{path} cannot be written: {error}.", cure="Free some space on its disk."
            ) from error
