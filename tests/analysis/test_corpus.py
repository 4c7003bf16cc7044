"""Evidence of real rollouts (real Envoy, processes and git), judged again: what was said then.

`tests/corpus/said.json` holds what the ledger said of each of these changes when it happened.
"""

import gzip
import json
from pathlib import Path

import pytest

from surefoot.analysis.record import judge_lines
from surefoot.domain.verdict import Word

CORPUS = Path(__file__).parents[1] / "corpus"
SAID = json.loads((CORPUS / "said.json").read_text())
WORDS = {"verified": Word.VERIFIED, "harm": Word.WORSE, "person": Word.WATCHING}


@pytest.mark.parametrize("name", SAID)
def test_a_real_rollout_is_judged_again_as_it_was(name):
    """The word, the metric or fact, and the sentence are those of the ledger."""
    said = SAID[name]
    with gzip.open(CORPUS / f"{name}.jsonl.gz", "rt") as file:
        lines = file.readlines()
    reading = judge_lines(lines).reading
    assert reading.word is WORDS[said["cause"] or said["phase"]]
    if reading.word is Word.WORSE:
        assert reading.metric == said["worse"]
    if said["verdict"]:
        assert reading.because == said["verdict"]


def test_every_record_is_spoken_of():
    """No file lies there that nobody judges."""
    assert {f"{name}.jsonl.gz" for name in SAID} == {one.name for one in CORPUS.glob("*.gz")}
