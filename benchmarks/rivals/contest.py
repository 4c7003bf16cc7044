"""All rules on the same simulated rollouts, and what became of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist, fmean

from simulated import Dice

from rivals import argo, flagger, kayenta, multinomial, ours, pipecd, repeated
from rivals.rule import Answer, Record, Rule
from rivals.worlds import Site, World

OURS = "Surefoot"
BARE = "its bare test"
PATIENT = "Surefoot, warm-up 90 s"
RULES: dict[str, Callable[[Site], Rule]] = {
    OURS: ours.shipped,
    BARE: lambda _: ours.Bare(),
    "Lindon-Malek": lambda _: multinomial.Multinomial(),
    "z each second": lambda _: repeated.z_each_second(),
    "Fisher each second": lambda _: repeated.fisher_each_second(),
    "Fisher at ten looks": lambda _: repeated.fisher_at_ten_looks(),
    "Kayenta, every 5 min": lambda _: kayenta.every_five_minutes(),
    "Kayenta, once": lambda _: kayenta.once(),
    "Argo, documented": lambda _: argo.documented(),
    "Argo, inline": lambda _: argo.inline(),
    "Argo, 99 %": lambda _: argo.ninety_nine(),
    "Flagger, default": lambda _: flagger.default(),
    "Flagger, tutorial": lambda _: flagger.tutorial(),
    "Flagger, README": lambda _: flagger.documented(),
    "PipeCD, threshold": lambda _: pipecd.threshold(),
    "PipeCD, previous": lambda _: pipecd.previous(),
    "PipeCD, baseline": lambda _: pipecd.canary_baseline(),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """When a rule first said BAD and GOOD, in seconds since first exposure; inf for never."""

    bad_at: float = inf
    good_at: float = inf


def contest(world: World, seed: str, *, patient: bool = False) -> dict[str, Outcome]:
    """One rollout, judged by every rule until it says BAD or the watch is over."""
    dice = Dice(f"{world}/{seed}")
    site, record = Site(world, dice), Record()
    rules = {name: make(site) for name, make in RULES.items()}
    if patient:
        rules[PATIENT] = ours.patient(site)
    bad: dict[str, float] = {}
    good: dict[str, float] = {}
    asked = list(rules.items())
    while asked and record.t < world.watch:
        site.advance(record)
        for name, rule in asked:
            said = rule.look(record) if record.t % rule.every == 0 else None
            if said is not None:
                (bad if said.answer is Answer.BAD else good).setdefault(name, said.at)
        if len(bad) + len(asked) > len(rules):
            asked = [(name, rule) for name, rule in asked if name not in bad]
    return {name: Outcome(bad.get(name, inf), good.get(name, inf)) for name in rules}


@dataclass(frozen=True, slots=True)
class Tally:
    """So many of so many."""

    count: int
    runs: int

    @property
    def part(self) -> float:
        """The fraction."""
        return self.count / self.runs

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval (JASA 22, 1927)."""
        z, n = NormalDist().inv_cdf(0.975), self.runs
        middle = (self.count + z * z / 2) / (n + z * z)
        reach = z / (n + z * z) * sqrt(self.count * (1 - self.part) + z * z / 4)
        return max(0.0, middle - reach), min(1.0, middle + reach)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.count + other.count, self.runs + other.runs)


@dataclass(frozen=True, slots=True)
class Score:
    """What became of one rule in one world."""

    outcomes: tuple[Outcome, ...]
    harm_from: float = 0.0

    def bad(self, before: float = inf) -> Tally:
        """How often it said BAD, up to a moment."""
        return Tally(sum(o.bad_at < before for o in self.outcomes), len(self.outcomes))

    @property
    def bad_before_good(self) -> Tally:
        """How often it said BAD in its own run, before its word of success."""
        return Tally(sum(o.bad_at < o.good_at for o in self.outcomes), len(self.outcomes))

    @property
    def good(self) -> Tally:
        """How often it said GOOD without having said BAD."""
        return Tally(sum(o.good_at < o.bad_at for o in self.outcomes), len(self.outcomes))

    @property
    def early(self) -> Tally:
        """How often it said BAD before there was harm."""
        return self.bad(self.harm_from)

    @property
    def missed(self) -> Tally:
        """How often it never said BAD."""
        return Tally(sum(o.bad_at == inf for o in self.outcomes), len(self.outcomes))

    @property
    def delays(self) -> list[float]:
        """Seconds from harm to BAD, in order; inf where it never came. Early ones are left out."""
        return sorted(
            o.bad_at - self.harm_from for o in self.outcomes if o.bad_at >= self.harm_from
        )

    @property
    def mean(self) -> float:
        """The mean delay of those that came; NaN if none did."""
        came = [delay for delay in self.delays if delay < inf]
        return fmean(came) if came else float("nan")

    @property
    def p90(self) -> float:
        """The delay that nine in ten do not exceed; inf where fewer came."""
        delays = self.delays
        return delays[min(len(delays) - 1, int(0.9 * len(delays)))] if delays else inf


def scores(world: World, runs: Sequence[dict[str, Outcome]]) -> dict[str, Score]:
    """Rule by rule."""
    names = runs[0] if runs else {}
    harm_from = world.harm_from if world.canary_p is not None else 0.0
    return {name: Score(tuple(run[name] for run in runs), harm_from) for name in names}
