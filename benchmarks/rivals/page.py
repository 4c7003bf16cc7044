"""The page around the tables: what was compared, how, and what it does not show."""

from rivals.report import (
    Results,
    called_good,
    detection,
    harmless,
    in_words,
    late,
    stressed,
    summary,
)

HEAD = """# The verdict beside other rules

Made by `{command}`; nobody edits this page. Every rule judged the same simulated requests: Poisson
traffic in one-second steps, fixed seeds, {runs} rollouts of each harm in the grid and {double} of
each world without harm and each stress. Only errors are simulated. The same figures as a picture:
[rivals.svg](rivals.svg).

## Where other rules win

Found by the program in the tables below: a rule wins a cell if it misses no more than Surefoot and
its mean delay is under nine tenths of Surefoot's.

{in_words}

## All rules

Delay: seconds from harm to restore, over the *information bound*, which no test that restores at
most 1 % of healthy releases can beat on average; medians over the cells with a bound over 5 s in
which the rule missed under 3 %. A figure under 1 is bought with false restores, or with knowing the
threshold that happens to suit. *Harm missed*: not seen in four hours. *Called good though harmful*:
the tool's word of success before it saw harm; for Surefoot *verified* at a margin of exactly twice
the errors, so that each is wrong. *In its own run*: as long as the tool's documented example runs,
while the column before it goes on looking for four hours. The stresses are healthy releases,
watched for two hours. In brackets: Wilson's 95 % intervals.

{summary}

## Harm, cell by cell

Mean / p90 of the delay as multiples of the bound; seconds ("s") where the bound is under 5 s. Of
those missed, the mean knows nothing.

{detection}

{skipped}

## Called good though harmful, cell by cell

{called_good}

## No harm, cell by cell

Restored within four hours; nothing was wrong.

{harmless}

## Stresses

Restored within two hours, at 100 requests/s, 1 % errors, a tenth of the traffic where nothing else
is said; nothing was wrong but in the cold start, where the new release fails five times as often
for its first minute.

{stressed}

## Harm that comes later

Mean / p90 of the seconds from harm to restore in a watch of two hours; "before": restored before
there was harm.

{late}

{how}
"""

HOW = """## How the rules were set

* **Surefoot**: the judge of `surefoot.analysis` as shipped, at a fixed share, with an hour of
  history from which it learns its over-dispersion, a warm-up of 10 s, and a time limit as long as
  the watch. Latency and one declared guard keep their part of the evidence but never speak, so
  errors have the weight that they have in a real rollout. *Its bare test* is T1 alone.
* **Lindon-Malek**: flat Dirichlet prior, alpha 1 %, failures of both arms.
* **z** and **Fisher**: one-sided at 1 % on all requests so far, each second as if it were the only
  look; at ten looks with alpha shared among them.
* **Kayenta**: rates of whole minutes, direction "increase", else its defaults; once after an hour,
  or every five minutes from the tenth for two hours. It is asked no more after that.
* **Argo Rollouts**: as documented (95 %, every 5 min, failureLimit 3) and the documented inline
  example (95 %, 60 s, default failureLimit 0), both on the rate between two scrapes 15 s apart; and
  99 % in each minute with the default failureLimit.
* **Flagger**: 99 % in each minute; thresholds 1 (default), 5 (tutorials) and 10 (README).
* **PipeCD**: each 5 min on rates over 5 min, failureLimit 0: at most 1 %; against the rollout
  before; against the baseline.

What each port follows, file by file, stands at the top of its module in `benchmarks/rivals/`.

Not simulated: latency, gauges, telemetry that lags, changes of weight by the tools themselves, and
a baseline of the canary's size, as Kayenta and PipeCD advise; they get the larger one. The 95 % and
99 % suit services of some error rate and not of another: such a rule is as good as that guess.
"""


def page(results: Results, command: str, runs: int) -> str:
    """The whole page; `command` makes it again."""
    names = "; ".join(cell.name for cell in results.skipped)
    skipped = f"Left out, as no test can see it in four hours: {names}." if names else ""
    return HEAD.format(
        command=command,
        runs=runs,
        double=2 * runs,
        in_words=in_words(results),
        summary=summary(results),
        detection=detection(results),
        skipped=skipped,
        called_good=called_good(results),
        harmless=harmless(results),
        stressed=stressed(results),
        late=late(results),
        how=HOW,
    )
