"""`surefoot demo`: set the stage, tell the story, say how it went, leave nothing behind."""

import json
import sys

from surefoot.demo import words
from surefoot.demo.errors import DemoError
from surefoot.demo.screen import Screen, chosen
from surefoot.demo.stage import Stage
from surefoot.demo.story import HEADER, Story

__all__ = ["run"]

INTERRUPTED = 130
WRONG = 1


def run(*, as_json: bool, keep: bool) -> int:
    """Play the demo; returns its exit code.

    0: all three changes ended as they should. 1: something did not. 130: it was interrupted.

    Args:
        as_json: print one object at the end; the story goes to standard error.
        keep: leave everything running, and say where it is and how to stop it.
    """
    screen = chosen(sys.stderr if as_json else sys.stdout)
    screen.begin(HEADER)
    with Stage(keep=keep) as stage:
        try:
            code = _play(Story(stage, screen), screen, as_json=as_json)
        except KeyboardInterrupt:
            screen.say(("", "Interrupted."))
            code = INTERRUPTED
        finally:
            screen.close()
        if keep:
            goes_on = "Everything still runs; the customers leave after nine minutes. To end it:"
            screen.say(("", goes_on, *stage.how_to_stop()))
    return code


def _play(story: Story, screen: Screen, *, as_json: bool) -> int:
    lines: tuple[str, ...]
    try:
        story.tell()
        code = 0
        lines = ("", "For a service of your own:  cd YOUR-SERVICE && surefoot init")
    except DemoError as trouble:
        code = WRONG
        lines = ("", str(trouble), "The end of its log:", *story.stage.log_end())
    counts = story.stage.counts()
    switching = f"{counts.failed_by_switching} failed by switching"
    screen.table(words.table(story.told))
    screen.say(("", f"{counts.sent:,} requests, {switching}.", *lines))
    if as_json:
        print(json.dumps(words.result(story.told, counts.sent, counts.failed_by_switching)))
    return code
