"""What the engine may leave to the store: nothing that it would decide otherwise without."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from people import a_change, commit, live

from surefoot.domain.change import Cause, Intent
from surefoot.domain.lane import lane_of, live_ones
from surefoot.domain.lifecycle import EXPOSED, FINAL, LIVE, UNEXPOSED, Phase
from surefoot.domain.retention import LED_BACK, NEWEST, family, that_matter, to_keep_built

FEW_LIVE, FEW_NEW = 4, 2
ANY = st.integers(0, 10_000)
CAUSES = st.sampled_from([Cause.HARM, Cause.HARM, Cause.PERSON, Cause.HOST])


class Histories(RuleBasedStateMachine):
    """Two engines live through the same: one holds all changes, the other those that matter."""

    def __init__(self):
        super().__init__()
        self.all = {1: live(1)}
        self.held = {1}
        self.clock = 0.0

    # --- what people and the engine do ---------------------------------------------------------

    @rule(which=ANY, again=st.booleans())
    def ship_a_fix_or_a_second_try(self, which, again):
        """Of any change there is, also of one that was settled long ago."""
        self.ship_one(self.intent(sorted(self.all)[which % len(self.all)], again=again))

    @rule(which=ANY, again=st.booleans())
    def ship_what_mends(self, which, again):
        """Of harm that is open, or else like any other."""
        harmful = self.lane().harmful
        named = harmful[which % len(harmful)].number if harmful else None
        self.ship_one(self.intent(named, again=again))

    @rule()
    def ship(self):
        self.ship_one(Intent("x"))

    @rule(count=st.integers(1, 6))
    def many_are_verified(self, count):
        for _ in range(count):
            self.ship()
            self.expose()
            self.verify()

    @rule(cause=CAUSES)
    def the_next_one_is_restored(self, cause):
        self.ship()
        self.expose()
        self.restore(cause)

    @rule(which=ANY, cause=CAUSES, again=st.booleans(), holds=st.booleans())
    def harm_is_mended_or_not(self, which, cause, again, holds):
        self.ship_what_mends(which, again)
        self.expose()
        if holds:
            self.verify()
        else:
            self.restore(cause)

    @rule(which=ANY, phase=st.sampled_from([Phase.WITHDRAWN, Phase.REJECTED]))
    def drop_one_that_waits(self, which, phase):
        waiting = self.lane().waiting
        if waiting:
            one = waiting[which % len(waiting)]
            self.put(replace(one, phase=phase))
            for other in self.carried(one.number):
                self.put(replace(other, carried_by=None))

    @rule()
    def apply_a_manifest(self):
        lane = self.lane()
        if lane.going:
            ground = lane.ground.revision
            self.put(replace(lane.going[0], phase=Phase.APPLIED, base=ground))

    @rule()
    def expose(self):
        lane = self.lane()
        if lane.going and lane.exposed is None:
            self.put(replace(lane.going[0], phase=Phase.ROLLING_OUT))

    @rule()
    def verify(self):
        exposed = self.lane().exposed
        if exposed:
            self.clock += 1.0
            stamps = replace(exposed.stamps, live_at=self.clock)
            for one in (exposed, *self.carried(exposed.number)):
                self.put(replace(one, phase=Phase.VERIFIED, stamps=stamps))
            self.leave_the_rest_to_the_store()

    @rule(cause=CAUSES)
    def restore(self, cause):
        exposed = self.lane().exposed
        if exposed:
            self.given_back(exposed, cause)

    @rule(cause=CAUSES)
    def undo_what_is_live(self, cause):
        """Whatever is exposed upon it is carried back; then what was live before is fetched."""
        lane = self.lane()
        if lane.before:
            if lane.exposed:
                self.given_back(lane.exposed, Cause.CARRIED)
            self.given_back(lane.live, cause)
            self.fetch()

    @rule(cause=CAUSES, count=st.integers(1, 8))
    def undo_one_after_the_other(self, cause, count):
        for _ in range(count):
            self.undo_what_is_live(cause)
            self.leave_the_rest_to_the_store()

    @rule(which=ANY)
    def review_something_live_afterwards(self, which):
        """Whoever writes to a change that is held no more holds it again."""
        lived = [one for one in self.all.values() if one.phase in LIVE]
        self.put(lived[which % len(lived)])

    @rule()
    def leave_the_rest_to_the_store(self):
        self.held = set(that_matter(self.kept(), FEW_NEW, FEW_LIVE))

    @rule()
    def begin_anew(self):
        """A restart fetches, and decides nothing before that."""
        self.fetch()

    # --- what must be true ---------------------------------------------------------------------

    @invariant()
    def both_find_the_same_lane(self):
        assert lane_of("shop", self.kept(), None) == self.lane()

    @invariant()
    def both_keep_the_same_builds_and_numbers(self):
        everything = tuple(self.all.values())
        assert to_keep_built(self.kept()) == to_keep_built(everything)
        assert max(self.held) == max(self.all)

    @invariant()
    def what_shares_an_outcome_is_held_with_what_it_shares(self):
        for one in self.kept():
            if one.phase in UNEXPOSED and one.carried_by is not None:
                assert one.carried_by in self.held
            if one.phase in EXPOSED or one.number in to_keep_built(self.kept()):
                assert {other.number for other in self.carried(one.number)} <= self.held

    # --- the words it is told in ---------------------------------------------------------------

    def lane(self):
        return lane_of("shop", tuple(self.all.values()), None)

    def kept(self):
        return tuple(self.all[number] for number in sorted(self.held))

    def intent(self, named, *, again):
        if named is not None and again and self.all[named].phase is Phase.RESTORED:
            return replace(self.all[named].intent, again=named)
        return Intent("x", fixes=named)

    def ship_one(self, intent):
        lane, number = self.lane(), len(self.all) + 1
        self.put(self.proposed(number, intent))
        if intent.fixes in {one.number for one in lane.harmful}:
            for one in lane.waiting:
                self.put(replace(one, carried_by=number))

    def proposed(self, number, intent):
        lane = self.lane()
        base = lane.going[-1] if lane.going else lane.ground
        return replace(a_change(number), intent=intent, base=base.revision)

    def put(self, change):
        self.all[change.number] = change
        self.held.add(change.number)

    def carried(self, number):
        return [
            one for one in self.all.values() if one.carried_by == number and one.phase not in FINAL
        ]

    def given_back(self, change, cause):
        self.clock += 1.0
        stamps = replace(change.stamps, restored_at=self.clock)
        for one in self.carried(change.number):
            shared = {"phase": Phase.RESTORED, "cause": Cause.CARRIED, "stamps": stamps}
            self.put(replace(one, **shared))
        self.put(replace(change, phase=Phase.RESTORED, cause=cause, stamps=stamps))

    def fetch(self):
        everything = tuple(self.all.values())
        last = [one.number for one in live_ones(everything)[:FEW_LIVE]]
        self.held |= family(everything, last)


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestHistories = Histories.TestCase


def fixed(number):
    """A change that did harm, and the fix that mended it."""
    harmful = a_change(number, Phase.RESTORED, cause=Cause.HARM)
    return harmful, replace(live(number + 1), intent=Intent("mend", fixes=number))


def test_what_is_held_is_bounded_however_long_the_history():
    """A thousand changes, every third of them harmful and fixed, leave no more than a few."""
    changes = [one for n in range(1, 1001, 3) for one in (live(n), *fixed(n + 1))]
    assert len(that_matter(changes)) <= NEWEST + 3 * LED_BACK


def test_harm_that_nobody_fixed_is_held_for_ever():
    """A suspect is one after any number of changes, whatever tried to mend it."""
    harmful = a_change(2, Phase.RESTORED, cause=Cause.HARM)
    undone = a_change(3, Phase.RESTORED, cause=Cause.PERSON, intent=Intent("x", fixes=2))
    other = a_change(4, Phase.RESTORED, cause=Cause.PERSON)
    changes = (live(1), harmful, undone, other, *(live(number) for number in range(5, 1000)))
    kept = that_matter(changes)
    assert {2, 3} <= kept
    held = [one for one in changes if one.number in kept]
    assert lane_of("shop", held, None).suspects == harmful.contents


def test_a_manifest_stays_with_the_release_that_it_guards():
    """Whoever is led back to a release is guarded by what was applied upon it."""
    upon = a_change(2, Phase.APPLIED, base=commit(1).id)
    again = a_change(3, Phase.APPLIED, base=commit(2).id)
    changes = [live(1), upon, again, *(a_change(n, Phase.REJECTED) for n in range(4, 300))]
    assert {1, 2, 3} <= that_matter(changes)
