"""Landing: files to typed, counted, tokenised rows; staged first, promoted to the ODS lake once the contract gate has passed."""

from onedata.landing.book import Landed
from onedata.landing.land import land
from onedata.landing.ledger import create_ledger
from onedata.landing.promote import has_replaced, promote
from onedata.landing.recover import recover

__all__ = ["Landed", "create_ledger", "has_replaced", "land", "promote", "recover"]
