"""The only place that runs git: with an argv list, a clean environment, no settings but ours."""

import asyncio
import os
import re
import signal
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from surefoot.domain.errors import OutsideFailed, Refused
from surefoot.domain.text import without_password

__all__ = ["QUICK_S", "UNPRINTABLE", "Answer", "git", "plain", "succeeded"]

QUICK_S = 60.0
USUAL_UMASK = 0o022  # of the files that it checks out; our home is closed above them
LARGEST_ANSWER = 128 * 1024 * 1024
LARGEST_COMPLAINT = 8 * 1024
SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.recurseSubmodules=false",
    "i18n.logOutputEncoding=UTF-8",
)
PASSED_ON = (
    "PATH",
    "HOME",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Answer:
    """How git ended: its code, what it answered, and the end of what it complained of."""

    code: int
    out: bytes
    complaint: str


async def git(
    *argv: str,
    limit_s: float = QUICK_S,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Answer:
    """Run git to its end; what it answers and how long it takes are bounded."""
    settings = [word for one in SETTINGS for word in ("-c", one)]
    # Files, not pipes: asyncio would wait for every helper of git's that still holds a pipe.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as complaint:
        try:
            process = await asyncio.create_subprocess_exec(
                *("git", "--no-pager", *settings, *argv),
                stdin=DEVNULL,
                stdout=out,
                stderr=complaint,
                cwd=folder,
                env={**_environment(), **(environment or {})},
                start_new_session=True,
                umask=USUAL_UMASK,
            )
        except OSError as error:
            raise OutsideFailed(
                f"git could not be started: {error.strerror}.",
                cure="Install git 2.31 or newer where Surefoot's PATH finds it.",
            ) from error
        code = await _ended(process, limit_s)
        return Answer(code, _all_of(out), _complaint(complaint))


async def _ended(process: Process, limit_s: float) -> int:
    """The exit code. Neither git nor a helper that it started outlives its call."""
    try:
        async with asyncio.timeout(limit_s):
            return await process.wait()
    except TimeoutError:
        raise OutsideFailed(
            f"git took longer than {limit_s:.0f} s and was ended.",
            cure="See that the source answers; it is tried again.",
        ) from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | {
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def _all_of(out: BinaryIO) -> bytes:
    if os.fstat(out.fileno()).st_size > LARGEST_ANSWER:
        raise Refused(
            f"What git has to say about this change is larger than {LARGEST_ANSWER >> 20} MB.",
            cure="Ship it in smaller parts, and keep large files out of the repository.",
        )
    out.seek(0)
    return out.read()


def _complaint(file: BinaryIO) -> str:
    """What git complained of, in one line: the last 8 kB of it."""
    file.seek(max(0, os.fstat(file.fileno()).st_size - LARGEST_COMPLAINT))
    lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    return without_password("; ".join(plain(line).rstrip(".") for line in lines if line))


def succeeded(answer: Answer, otherwise: str) -> None:
    """Raise `OutsideFailed` with what git complained of, if it failed."""
    if answer.code:
        raise OutsideFailed(
            f"{otherwise}: {answer.complaint or f'git ended with {answer.code}'}.",
            cure="See that the source is there and that this user may read it; it is tried again.",
        )


def plain(text: str) -> str:
    """One line that is safe on a terminal, whatever a commit says."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.strip())
