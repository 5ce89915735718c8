"""What recognition costs, by the price in .env: PRICE_PER_HOUR and PRICE_CURRENCY. Only the operator's commands use it.

The default is the list price that docs/cost.md has from documents. It was not read from a bill.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from cli.errors import OperatorError
from cli.language import _, choose_text
from cli.operate.text import join_clauses
from cli.output import escape_line

PRICE_NAME, CURRENCY_NAME = "PRICE_PER_HOUR", "PRICE_CURRENCY"
DEFAULT_PRICE, DEFAULT_CURRENCY = "1.75", "CNY"
CENT = Decimal("0.01")

_PRICE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Price:
    """The price of an hour of speech. `is_default`: PRICE_PER_HOUR is not set, so it is unconfirmed."""

    per_hour: Decimal
    currency: str
    is_default: bool = False

    def cost_exactly(self, seconds: float) -> Decimal:
        """Return what these seconds of speech cost, not rounded."""
        return self.per_hour * Decimal(seconds) / _HOUR_S

    def cost(self, seconds: float) -> Decimal:
        """Return what these seconds of speech cost, rounded to cents."""
        return self.cost_exactly(seconds).quantize(CENT, ROUND_HALF_UP)

    def format(self, amount: Decimal) -> str:
        """Format an amount of money for people: `1,234.50 CNY`."""
        return f"{amount.quantize(CENT, ROUND_HALF_UP):,} {self.unit}"

    @property
    def unit(self) -> str:
        """The currency for people."""
        return choose_text(self.currency, "元" if self.currency == DEFAULT_CURRENCY else "")

    @property
    def note(self) -> str:
        """One line for people: which price this is, and where to change it."""
        amount = f"{self.per_hour.normalize():f} {self.unit}"
        if self.is_default:
            return _(
                "Price: {amount} an hour, from documents and not confirmed by a bill. Set {setting} in .env to yours",
                amount=amount,
                setting=PRICE_NAME,
            )
        return _("Price: {amount} an hour, from {setting}", amount=amount, setting=PRICE_NAME)


def load_price(config: Mapping[str, str]) -> Price:
    """Read the price from .env and the environment. Raises OperatorError, which names every wrong value."""
    price = config.get(PRICE_NAME, "").strip()
    currency = config.get(CURRENCY_NAME, "").strip().upper()
    mistakes = []
    if price and not _PRICE.fullmatch(price):
        mistakes.append(
            _(
                "{setting} is {value!r}: write what an hour of speech costs as a number with a dot, such as 1.75",
                setting=PRICE_NAME,
                value=price,
            )
        )
    if currency and not _CURRENCY.fullmatch(currency):
        mistakes.append(
            _(
                "{setting} is {value!r}: write its three letters, such as CNY",
                setting=CURRENCY_NAME,
                value=currency,
            )
        )
    if mistakes:
        raise OperatorError(escape_line(join_clauses(mistakes)))
    return Price(Decimal(price or DEFAULT_PRICE), currency or DEFAULT_CURRENCY, is_default=not price)
