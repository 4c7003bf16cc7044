"""What the shop promises its customers."""
# ruff: noqa: S101, PLR2004 -- a test asserts, and literal prices are its point

import asyncio
import json
import unittest

from .app import Shop
from .prices import total
from .server import Answer, Request


def ask(shop: Shop, path: str, order: object = None) -> Answer:
    """One request, answered."""
    method = "GET" if order is None else "POST"
    return asyncio.run(shop.answer(Request(method, path, json.dumps(order).encode())))


class Prices(unittest.TestCase):
    """The till adds up."""

    def test_items_are_added_up(self) -> None:
        """Tea and a mug cost what both cost."""
        assert total(["tea", "mug"]) == 1650

    def test_a_code_that_nobody_knows_takes_nothing_off(self) -> None:
        """A guess is no discount."""
        assert total(["tea"], "GUESS") == 450


class Pages(unittest.TestCase):
    """Every page answers and is counted."""

    def setUp(self) -> None:
        """A shop whose backend never fails."""
        self.shop = Shop(fails=0)

    def test_the_catalogue_lists_prices(self) -> None:
        """Tea is there."""
        assert json.loads(ask(self.shop, "/catalogue").text)["tea"] == 450

    def test_a_checkout_says_the_total(self) -> None:
        """The bill is right."""
        answer = ask(self.shop, "/checkout", {"items": ["cake", "book"]})
        assert json.loads(answer.text) == {"total": 2880}

    def test_checkouts_are_counted(self) -> None:
        """One checkout, one count."""
        ask(self.shop, "/checkout", {"items": ["tea"]})
        assert 'checkout_total{outcome="ok"} 1' in ask(self.shop, "/metrics").text


if __name__ == "__main__":
    unittest.main()
