"""The page of one service: its lane, its orders, what it learnt, and its last changes."""

from surefoot.engine.control import Control
from surefoot.pages.board import IN_MOTION_S, lane_of
from surefoot.pages.page import Page
from surefoot.pages.rendering import render
from surefoot.ports import LogQuery

__all__ = ["ServicePage"]

AT_REST_S = 10.0
LAST = 20


class ServicePage:
    """Makes the page of a service as it is now."""

    def __init__(self, control: Control) -> None:
        """Take whom to ask."""
        self._control = control

    async def make(self, name: str) -> Page:
        """The page. Raises `NotFound`."""
        control = self._control
        service = await control.service(name)
        lane = await lane_of(control, service)
        (learnt,) = (await control.learn(name)).services
        changes = await control.log(LogQuery(service=name, limit=LAST))
        values = {"lane": lane, "service": service, "learnt": learnt, "changes": changes}
        values["now"] = control.now()
        parts = {
            part: render(f"service/{part}.html", **values)
            for part in ("state", "orders", "learnt", "changes")
        }
        moves = lane.exposed is not None or bool(lane.waiting)
        return Page(
            address=f"/services/{name}",
            name=name,
            title=(f"{name}: {service.sentence}",),
            mood=lane.mood,
            parts=parts,
            pause_s=IN_MOTION_S if moves else AT_REST_S,
        )
