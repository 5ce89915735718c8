"""The price of an hour of speech: read from .env, checked, and applied to seconds."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.errors import OperatorError
from cli.operate.prices import DEFAULT_CURRENCY, DEFAULT_PRICE, Price, load_price

COST_PAGE = (Path(__file__).resolve().parents[3] / "docs/cost.md").read_text("utf-8")


def test_without_a_setting_the_price_is_the_one_of_the_documents() -> None:
    price = load_price({})
    assert price == Price(Decimal("1.75"), "CNY", is_default=True)
    assert "not confirmed by a bill" in price.note
    assert "PRICE_PER_HOUR" in price.note
    assert f"| {DEFAULT_PRICE} {DEFAULT_CURRENCY} an hour" in COST_PAGE


def test_a_price_that_is_set_counts_as_confirmed() -> None:
    price = load_price({"PRICE_PER_HOUR": " 2.40 ", "PRICE_CURRENCY": "usd"})
    assert price == Price(Decimal("2.40"), "USD")
    assert price.note == "Price: 2.4 USD an hour, from PRICE_PER_HOUR"


def test_a_currency_alone_does_not_confirm_the_price() -> None:
    assert load_price({"PRICE_CURRENCY": "EUR"}) == Price(Decimal("1.75"), "EUR", is_default=True)


@pytest.mark.parametrize(
    "text", ["1,75", "-1", "free", "1e3", "NaN", "Infinity", "1.", "0x1", "١", "1.75 CNY"]
)
def test_wrong_price_says_what_to_write(text: str) -> None:
    with pytest.raises(
        OperatorError, match=f"PRICE_PER_HOUR is {re.escape(repr(text))}: write .* such as 1.75"
    ):
        load_price({"PRICE_PER_HOUR": text})


def test_every_mistake_is_named_in_one_line_without_control_characters() -> None:
    with pytest.raises(OperatorError) as caught:
        load_price({"PRICE_PER_HOUR": "a\x1b[31m\nb", "PRICE_CURRENCY": "¥"})
    message = str(caught.value)
    assert "PRICE_PER_HOUR" in message
    assert "PRICE_CURRENCY is '¥': write its three letters, such as CNY" in message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("seconds", "amount"), [(0, "0.00"), (3600, "1.75"), (1, "0.00"), (11, "0.01"), (36_000_000, "17500.00")]
)
def test_cost_is_rounded_to_cents(seconds: int, amount: str) -> None:
    assert str(load_price({}).cost(seconds)) == amount


def test_half_a_cent_is_rounded_up() -> None:
    assert str(Price(Decimal(36), "CNY").cost(0.5)) == "0.01"


@given(st.integers(0, 10**9), st.decimals(0, 1000, places=4))
def test_cost_differs_by_at_most_half_a_cent(seconds: int, per_hour: Decimal) -> None:
    price = Price(per_hour, "CNY")
    assert abs(price.cost(seconds) - price.cost_exactly(seconds)) <= Decimal("0.005")


def test_amounts_are_easy_to_read() -> None:
    assert load_price({}).format(Decimal("1234567.5")) == "1,234,567.50 CNY"
