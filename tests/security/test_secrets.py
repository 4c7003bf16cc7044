"""The secrets of an `env_file`, and the password in a source's address, are shown to nobody."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from asking import ask
from engine_world import ANA, BO, NO_REVIEW, World, manifest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.adapters.processes.hiding import hidden
from surefoot.api.app import create_app
from surefoot.api.operations import Operation
from surefoot.api.routes import ROUTES
from surefoot.domain.lifecycle import Phase
from surefoot.domain.text import without_password
from surefoot.testing import Behaviour, VirtualLoop

values = st.text(
    st.characters(codec="ascii", exclude_categories=("Cc",)), min_size=4, max_size=40
).filter(lambda value: value.strip() == value and "***" not in value and "\\n" not in value)


@given(values, st.integers(1, 8), st.sampled_from(["\n", "\r\n"]), st.text(max_size=20))
def test_a_secret_is_hidden_however_its_lines_are_broken(
    secret: str, width: int, end: str, around: str
) -> None:
    """Whole or wrapped at any width, nothing of a value is left but what stood around it."""
    wrapped = end.join(secret[start : start + width] for start in range(0, len(secret), width))
    shown = hidden(f"<{wrapped}>", [secret])
    assert shown == "<***>"
    assert secret not in hidden(around + secret + around, [secret])


def test_of_two_secrets_the_longer_is_hidden_whole() -> None:
    """One value may begin as another does; nothing of its end is left to be read."""
    assert hidden("abcd-more abcd", ["abcd", "abcd-more"]) == "*** ***"


def test_a_key_in_one_line_is_hidden_as_programs_print_it() -> None:
    """A value with a written line break is hidden in lines of its own, whatever stands between."""
    assert hidden("1: MIIEvQ\n2: Ab+/9x==", [r"MIIEvQ\nAb+/9x=="]) == "1: ***\n2: ***"


def test_what_is_too_short_to_be_a_secret_hides_nothing() -> None:
    """A `1` in a file of secrets does not black out each figure of the output."""
    assert hidden("port 8081", ["1", ""]) == "port 8081"


@pytest.mark.parametrize(
    "address",
    [
        "https://ana:pa55word@example.org/shop.git",
        "https://ana:pa55w@rd@example.org/shop.git",
        "https://pa55word@example.org/shop.git",
    ],
)
def test_an_address_is_shown_without_its_password(address: str) -> None:
    """Neither a token in place of a name nor a password with an @ in it is left."""
    shown = without_password(f"fatal: unable to access '{address}/': 403")
    assert "pa55w" not in shown
    assert "rd@" not in shown
    assert "https://...@example.org/shop.git" in shown


# --- every answer of the API -----------------------------------------------------------------

PASSWORD = "pa55word-of-the-source"


def question(route: Operation[Any], change: int) -> tuple[str, str, object]:
    """A route of the table as it is asked about a change of the shop."""
    path = route.path.replace("{name}", "shop").replace("{number:int}", str(change))
    name = route.answer.__name__.removeprefix("_")
    body = {
        "register": {"source": "shop", "manifest": manifest("shop", 8080, NO_REVIEW)},
        "plan": {"revision": "nowhere"},
        "ship": {"revision": "nowhere"},
        "ask": {"question": "why?"},
        "new_token": {"name": "Cy", "email": "cy@example.org"},
    }.get(name, {"because": "seen"} if name in {"hold", "resume", "accept"} else {})
    return route.method, path, None if route.takes_query else body


async def told_of_everything(home: Path) -> tuple[set[str], list[tuple[str, str]]]:
    """What must stay hidden, and every answer of the API after a good and a harmful change."""
    world = World(home)
    await world.up()
    await world.open()
    desk = world.desk
    bos, secret = await desk.new_token(BO, ANA)
    closed, closed_secret = await desk.new_token(ANA, ANA)
    await desk.revoke_token(closed.id, ANA)
    good = await world.ship("good")
    await world.until_settled(good)
    harmful = await world.ship("harmful", Behaviour(errors=0.6))
    await world.until_phase(harmful, Phase.RESTORED, within=600)
    source = f"https://ana:{PASSWORD}@example.org/shop.git"
    text = manifest("shop", 8080, NO_REVIEW)
    await desk.register(source, "", text, ANA)
    await desk.register(source, "", manifest("other", 8081, NO_REVIEW), ANA)
    app = create_app(desk)
    answers = []
    for number in (good, harmful, closed.id):
        for route in ROUTES:
            if route.method == "DELETE" and number != closed.id:
                continue  # the key that asks must stay good
            method, path, body = question(route, number)
            status, answer = await ask(app, method, path, secret, body)
            assert status != 401
            answers.append((f"{method} {path}: {status}", answer))
    ledger = await world.store.entries(0, 10_000)
    answers.append(("the ledger", repr(ledger)))
    await world.end()
    hidden_ones = {secret, closed_secret, PASSWORD, bos.hashed, closed.hashed}
    return hidden_ones, answers


def test_no_answer_of_any_route_tells_a_key(tmp_path: Path) -> None:
    """Neither a token, its hash, nor a source's password is in any answer or ledger entry."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        secrets, answers = runner.run(told_of_everything(tmp_path / "home"))
    assert len(answers) > 2 * len(ROUTES)
    assert [what for what, told in answers for secret in secrets if secret in told] == []
    assert "example.org/shop.git" in dict(answers)["the ledger"], "it was there to be told"
