"""Signing a browser in: links for one use, sign-ins that end, and what closes them."""

import pytest
from engine_world import ANA, BO, World

from surefoot.domain.errors import OutsideFailed
from surefoot.domain.token import TokenKind
from surefoot.engine.codes import MOST_CODES

DAY_S = 86_400.0


async def signed_in(world: World, kind: TokenKind = TokenKind.BROWSER) -> str:
    """The secret of a new sign-in of Ana."""
    given = await world.desk.redeem((await world.desk.sign_in(ANA, kind)).code)
    assert given is not None
    return given[1]


async def test_a_link_signs_its_person_in_once(world: World) -> None:
    """The first who uses it is in; the second, and whoever has another code, is not."""
    code = (await world.desk.sign_in(ANA, TokenKind.BROWSER)).code
    given = await world.desk.redeem(code)
    assert given is not None
    assert (given[0].person, given[0].kind) == (ANA, TokenKind.BROWSER)
    assert await world.desk.who(given[1], in_browser=True) == ANA
    assert await world.desk.redeem(code) is None
    assert await world.desk.redeem("another") is None
    assert world.store._entries[-1].says == f"Ana signs in with a browser (token {given[0].id})."


async def test_a_sign_in_is_no_key_and_a_key_no_sign_in(world: World) -> None:
    """A cookie that leaked is no bearer token, and a key in a cookie opens nothing."""
    _, key = await world.desk.new_token(ANA, ANA)
    session = await signed_in(world)
    assert await world.desk.who(session) is None
    assert await world.desk.who(key, in_browser=True) is None


@pytest.mark.parametrize(("kind", "lasts_s"), [(TokenKind.BROWSER, 120), (TokenKind.PHONE, 300)])
async def test_a_link_opens_nothing_after_its_time(
    world: World, kind: TokenKind, lasts_s: float
) -> None:
    """Two minutes for a browser, five for a phone."""
    used, late = [await world.desk.sign_in(ANA, kind) for _ in range(2)]
    assert used.expires_at == world.clock.now() + lasts_s
    world.clock.set_wall(lasts_s - 1)
    assert await world.desk.redeem(used.code) is not None
    world.clock.set_wall(1)
    assert await world.desk.redeem(late.code) is None


async def test_a_person_has_few_links_at_a_time(world: World) -> None:
    """The newest ones open; nobody's links push out another's."""
    bos = (await world.desk.sign_in(BO, TokenKind.PHONE)).code
    codes = [(await world.desk.sign_in(ANA, TokenKind.PHONE)).code for _ in range(MOST_CODES + 1)]
    opened = [await world.desk.redeem(code) is not None for code in codes]
    assert opened == [False] + [True] * MOST_CODES
    assert await world.desk.redeem(bos) is not None


async def test_guessing_leaves_nothing_behind(world: World) -> None:
    """A thousand wrong codes take no memory, no ledger entry, and nobody's link."""
    code = (await world.desk.sign_in(ANA, TokenKind.BROWSER)).code
    before = world.store.everything()
    for number in range(1_000):
        assert await world.desk.redeem(f"guess {number}") is None
    assert len(world.desk._codes) == 1
    assert world.store.everything() == before
    assert await world.desk.redeem(code) is not None


@pytest.mark.parametrize(("kind", "days"), [(TokenKind.BROWSER, 7), (TokenKind.PHONE, 30)])
async def test_a_sign_in_ends(world: World, kind: TokenKind, days: int) -> None:
    """After its days it opens nothing and is not listed; the next one clears it away."""
    _, key = await world.desk.new_token(ANA, ANA)
    session = await signed_in(world, kind)
    world.clock.set_wall(days * DAY_S - 1)
    assert await world.desk.who(session, in_browser=True) == ANA
    world.clock.set_wall(1)
    assert await world.desk.who(session, in_browser=True) is None
    assert [one.kind for one in await world.desk.tokens()] == [TokenKind.KEY]
    assert await world.desk.who(key) == ANA, "a key has no end of its own"
    await signed_in(world, kind)
    assert [one.id for one in await world.store.tokens()] == [1, 3]


async def test_a_sign_in_is_closed_like_a_key_or_from_its_browser(world: World) -> None:
    """Revoked, signed out, or followed by another in the same browser: it opens nothing more."""
    revoked, left, followed = [await signed_in(world) for _ in range(3)]
    await world.desk.revoke_token(1, BO)
    await world.desk.sign_out(left)
    again = await world.desk.sign_in(ANA, TokenKind.BROWSER)
    assert await world.desk.redeem(again.code, instead_of=followed) is not None
    for session in (revoked, left, followed):
        assert await world.desk.who(session, in_browser=True) is None
    told = [entry.says for entry in world.store._entries]
    assert "Bo revokes token 1." in told
    assert "Ana signs out (token 2)." in told


async def test_signing_out_closes_no_key(world: World) -> None:
    """What comes in a cookie is never taken for a key, not even to close it."""
    _, key = await world.desk.new_token(ANA, ANA)
    await world.desk.sign_out(key)
    assert await world.desk.who(key) == ANA


async def test_a_store_that_fails_costs_nobody_their_link(world: World) -> None:
    """What could not be written down was not used: the same link opens a moment later."""
    code = (await world.desk.sign_in(ANA, TokenKind.BROWSER)).code
    world.store.faults.fail("add_token")
    with pytest.raises(OutsideFailed):
        await world.desk.redeem(code)
    world.store.faults.heal()
    assert await world.desk.redeem(code) is not None


async def test_a_sign_in_outlives_the_daemon_and_a_link_does_not(world: World) -> None:
    """A restart signs nobody out; what nobody used yet is made anew."""
    session = await signed_in(world)
    code = (await world.desk.sign_in(ANA, TokenKind.BROWSER)).code
    await world.end()
    await world.up()
    assert await world.desk.who(session, in_browser=True) == ANA
    assert await world.desk.redeem(code) is None
