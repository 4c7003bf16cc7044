"""The storyboard: a baseline, then three changes, told as they happen."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from surefoot.demo import words
from surefoot.demo.client import Change, Client, Service
from surefoot.demo.errors import DemoError
from surefoot.demo.repository import (
    ANA,
    BO,
    DISCOUNT_CODES,
    GIFT_WRAP,
    JAM,
    NUMBERS,
    Member,
    Repository,
    Step,
)
from surefoot.demo.screen import Scene, Screen
from surefoot.demo.stage import Stage, free_port

__all__ = ["HEADER", "Story"]

T = TypeVar("T")
SHOP = "shop"
LIMIT_S = 420.0
BASELINE_S = 60.0
LOOK_EVERY_S = 0.2
ALONE_S = 2.0
HEADER = (
    "Surefoot demo: a small shop on this machine, 200 requests/s through Envoy, about 1 % errors",
    "Ana and Bo ship three changes: a good one, one that breaks checkouts although its tests and",
    "its review let it pass, and its fix. It takes about four minutes and nobody presses anything.",
)


@dataclass(slots=True)
class Story:
    """The play: the stage it stands on, the screen it is seen on, the people in it."""

    stage: Stage
    screen: Screen
    began: float = field(default_factory=time.monotonic)
    waiting_for: str = "the control plane"
    told: tuple[Change, ...] = ()
    people: dict[Member, Client] = field(default_factory=dict)
    _seen: dict[int, Change] = field(default_factory=dict)

    def tell(self) -> None:
        """All of it. Raises `DemoError` when it takes another course."""
        repository = Repository(self.stage.shop)
        port = free_port()
        self._take_baseline(self._open(repository, port))
        good = self._ship(BO, GIFT_WRAP, repository.add(GIFT_WRAP))
        self._approve(ANA, good)
        self._follow(good, lambda one: one.phase in {"verifying", "verified"})
        harmful = repository.add(DISCOUNT_CODES)
        bad = self._ship(ANA, DISCOUNT_CODES, harmful)
        self.screen.note(
            f"{bad} is made ready meanwhile; users meet it after the verdict on {good}"
        )
        self._approve(BO, bad)
        self._conclude(good, "verified", beside=bad)
        self._conclude(bad, "restored")
        self._wait_with_more_work(repository)
        self._fix(repository, harmful, bad)

    def _open(self, repository: Repository, port: int) -> int:
        self.screen.note(
            f"starting the control plane, the proxy and its keeper in {self.stage.folder}"
        )
        address = self.stage.start_control_plane()
        owner = Client(address, self.stage.owner_token())
        for member in (ANA, BO):
            secret = owner.give_token(member.name, member.email)
            self.people[member] = Client(address, secret)
        revision = repository.begin(port)
        owner.register(str(repository.folder), repository.manifest.read_text(encoding="utf-8"))
        order = {"revision": revision, "adopt": True, "why": "the shop of today"}
        adopted = owner.ship(SHOP, order).number
        self._follow(adopted, lambda _: self.stage.answers(port))
        self.stage.open_shop(port)
        return adopted

    def _take_baseline(self, adopted: int) -> None:
        def enough() -> Service | None:
            change, service = self._look(adopted), self._service()
            if change.phase == "rejected":
                raise DemoError(f"The shop of today did not come up. {change.sentence}")
            left = max(0.0, BASELINE_S - service.watched_s)
            self._show("a baseline of 60 s: what is normal here, to compare with", left_s=left)
            return service if left <= 0 and change.phase == "adopted" else None

        service = self._until(enough)
        counts = self.stage.counts()
        errors = words.percent(counts.statuses.get("500", 0), counts.answered)
        self.screen.past(
            f"✓ baseline  {service.watched_s:.0f} s of the shop as it is: "
            f"{service.requests_per_s:.0f} requests/s, {errors} errors"
        )

    def _wait_with_more_work(self, repository: Repository) -> None:
        more = self._ship(BO, JAM, repository.add(JAM))
        waiting = self._follow(more, lambda one: one.wait is not None and one.wait.cause == "a fix")
        self.screen.past(f"· {more} {waiting.why}: {waiting.because}")
        for line in waiting.next:
            self.screen.past(f"      {line}")

    def _fix(self, repository: Repository, harmful: str, bad: int) -> None:
        fixed = repository.add(NUMBERS, on=harmful)
        before = repository.try_test(harmful, test_from=fixed)
        after = repository.try_test(fixed, test_from=fixed)
        self.screen.note(f"the new test on {bad}: {before}")
        self.screen.note(f"the new test on the fix: {after}")
        if before.passed or not after.passed:
            raise DemoError("The fix's new test does not tell the fix from the fault.")
        fix = self._ship(ANA, NUMBERS, fixed, fixes=bad)
        self._approve(BO, fix)
        self._conclude(fix, "verified")

    # --- what people do ------------------------------------------------------------------------

    def _ship(self, member: Member, step: Step, revision: str, fixes: int | None = None) -> int:
        order: dict[str, object] = {"revision": revision, "why": step.subject}
        if fixes is not None:
            order["fixes"] = fixes
        change = self.people[member].ship(SHOP, order)
        size = f"+{change.size.added} -{change.size.removed}"
        self.screen.note(
            f"{member.name} commits and ships {change.number}: {step.subject} ({size})"
        )
        return change.number

    def _approve(self, member: Member, number: int) -> None:
        self.people[member].approve(number)
        self.screen.note(f"{member.name} has read {number} and approves")

    # --- what is seen --------------------------------------------------------------------------

    def _conclude(self, number: int, should: str, beside: int | None = None) -> None:
        """Follow a change to the end that it should come to."""
        self._over(self._follow(number, lambda one: one.phase == should, beside))

    def _over(self, change: Change) -> None:
        self.told = (*self.told, change)
        self.screen.past(words.past(change))

    def _follow(
        self, number: int, there: Callable[[Change], bool], beside: int | None = None
    ) -> Change:
        """Look at a change, and at one beside it, until it is there. Raises when it never will."""

        def look() -> Change | None:
            change = self._look(number)
            if beside is not None:
                self._look(beside)
            if there(change):
                return change
            self._show(words.waiting_for(change), change)
            if change.phase in words.ENDED:
                self._over(change)
                raise DemoError(f"This is not how the story goes. {change.sentence}")
            return None

        return self._until(look)

    def _look(self, number: int) -> Change:
        change = self.people[ANA].change(SHOP, number)
        before = self._seen.get(number)
        self._seen[number] = change
        if change.phase == "restoring" and (before is None or before.phase != "restoring"):
            self.screen.alone(words.worse(change), ALONE_S)
        for line in words.news(before, change):
            self.screen.note(line)
        return change

    def _service(self) -> Service:
        return self.people[ANA].service(SHOP)

    def _show(
        self, waiting_for: str, change: Change | None = None, left_s: float | None = None
    ) -> None:
        self.waiting_for = waiting_for
        counts = self.stage.counts()
        traffic = (
            f"{time.monotonic() - self.began:.0f} s · {counts.answered:,} requests answered · "
            f"{counts.failed_by_switching} failed by switching"
        )
        self.screen.show(Scene(waiting_for, traffic, left_s, change))

    def _until(self, look: Callable[[], T | None]) -> T:
        while True:
            found = look()
            if found is not None:
                return found
            self.stage.check()
            if time.monotonic() - self.began > LIMIT_S:
                raise DemoError(
                    f"Stopped after {LIMIT_S / 60:.0f} minutes, waiting for {self.waiting_for}."
                )
            time.sleep(LOOK_EVERY_S)
