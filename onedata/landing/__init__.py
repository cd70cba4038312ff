"""Landing: files to typed, counted, tokenised rows; staged first, promoted to the ODS lake by the ledger once the
contract gate has passed."""

from onedata.landing.book import Landed
from onedata.landing.land import land

__all__ = ["Landed", "land"]
