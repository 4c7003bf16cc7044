"""Where questions are answered: what is so, what was, and what is heard of it. Changes nothing."""

import asyncio
from collections.abc import AsyncIterator

from surefoot.analysis.replay import Judged
from surefoot.domain.errors import NotFound
from surefoot.engine.control import Health
from surefoot.engine.courses import Courses
from surefoot.engine.doctor import examine
from surefoot.engine.driver import Driver
from surefoot.engine.evidence import evidence_text, has_evidence
from surefoot.engine.keys import Keys
from surefoot.engine.learning import learnt, rate_of
from surefoot.engine.looking import Looker
from surefoot.engine.status import (
    ChangeStatus,
    DiffStatus,
    DoctorFinding,
    LearntStatus,
    OutputStatus,
    ServiceStatus,
)
from surefoot.ports import Entry, LogQuery

__all__ = ["Answers"]

HEARD_MAX = 1000


class Answers(Keys):
    """The part of `Control` that asks and orders nothing."""

    def __init__(self, driver: Driver, health: Health) -> None:
        """Take the driver, and who we are."""
        super().__init__(driver.outside, driver.save)
        self.driver = driver
        self.look = Looker(driver)
        self._health = health
        self._courses = Courses()
        self._listeners: set[asyncio.Queue[Entry]] = set()

    def health(self) -> Health:
        """Who answers."""
        return self._health

    def now(self) -> float:
        """What time it is here, in epoch seconds."""
        return self.outside.clock.now()

    async def services(self) -> tuple[ServiceStatus, ...]:
        """Every service."""
        return tuple([await self.look.service(run) for run in self.driver.runs.values()])

    async def service(self, name: str) -> ServiceStatus:
        """One service. Raises `NotFound`."""
        return await self.look.service(self.look.run(name))

    async def change(self, number: int, service: str | None = None) -> ChangeStatus:
        """One change. Raises `NotFound`."""
        run, change = await self.look.find(number, service)
        return await self.look.status(run, change)

    async def log(self, query: LogQuery) -> tuple[ChangeStatus, ...]:
        """Changes, newest first."""
        return await self.look.log(query)

    async def evidence(self, number: int, service: str | None = None) -> str:
        """The recorded ticks of a change, as `surefoot judge` reads them."""
        run, _ = await self.look.find(number, service)
        file = run.watch.evidence(number)
        if not has_evidence(file):
            raise NotFound(
                f"{number} has no evidence: no user has met it.",
                cure="`surefoot log` shows which changes were exposed.",
            )
        return await asyncio.to_thread(evidence_text, file)

    async def output(self, number: int, service: str | None = None) -> OutputStatus:
        """What a change prints, and first what its baseline does not. Raises `NotFound`."""
        return await self.look.output(*await self.look.find(number, service))

    async def diff(self, number: int, service: str | None = None) -> DiffStatus:
        """What a change alters. Raises `NotFound`."""
        return await self.look.diff(*await self.look.find(number, service))

    async def course(self, number: int, service: str | None = None) -> Judged | None:
        """How the evidence of a change came to what it says; None before any user met it."""
        run, _ = await self.look.find(number, service)
        return await self._courses.of(run.watch.evidence(number))

    async def entries(
        self, after: int, limit: int, service: str | None = None, change: int | None = None
    ) -> tuple[Entry, ...]:
        """The ledger."""
        return await self.outside.store.entries(after, limit, service, change)

    def hear(self, entry: Entry) -> None:
        """Pass a new ledger entry to who follows; one who is far behind reads the ledger again."""
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(entry)

    async def follow(self, after: int | None) -> AsyncIterator[Entry]:
        """The ledger from behind `after` (None: what is still to come), and then as it grows."""
        queue: asyncio.Queue[Entry] = asyncio.Queue(HEARD_MAX)
        self._listeners.add(queue)
        try:
            if after is None:
                after = (await queue.get()).seq - 1
            while True:
                entries = await self.outside.store.entries(after, HEARD_MAX)
                for entry in entries:
                    after = entry.seq
                    yield entry
                if not entries:
                    await queue.get()
        finally:
            self._listeners.discard(queue)

    async def doctor(self) -> tuple[DoctorFinding, ...]:
        """What is missing, and the cure."""
        return await examine(self.outside, self.driver.home, list(self.driver.runs.values()))

    async def learn(self, service: str | None = None) -> LearntStatus:
        """What was learnt of this service, or of each."""
        runs = [self.look.run(service)] if service else list(self.driver.runs.values())
        services = [await learnt(self.outside, run) for run in runs]
        rates = [one.false_alarms for one in services]
        alarms, count = sum(one.alarms for one in rates), sum(one.runs for one in rates)
        return LearntStatus(rate_of(alarms, count), tuple(services))
