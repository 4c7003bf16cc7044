"""Small pages that hold nothing of what Surefoot knows: the doorstep, and each no with its cure."""

from starlette.responses import HTMLResponse

from surefoot.pages.rendering import render

__all__ = ["plain_page"]


def plain_page(
    status: int, title: str, says: str, *, cure: str = "", command: str = ""
) -> HTMLResponse:
    """A title, a sentence, and perhaps a cure or what to type."""
    page = render("plain.html", title=title, says=says, cure=cure, command=command)
    return HTMLResponse(page, status)
