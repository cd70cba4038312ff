"""Landing: turns files into typed, counted, tokenised rows. They are staged first; the ledger promotes them to the ODS
lake once the contract gate has passed."""

from onedata.landing.book import Landed
from onedata.landing.land import land

__all__ = ["Landed", "land"]
