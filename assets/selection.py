"""Select pending nights: of files unknown to the ledger, of unpublished deliveries, of manual decisions."""

from contextlib import suppress
from dataclasses import replace
from datetime import date

import duckdb
import typer

from onedata.contracts.model import Database, OwnFile
from onedata.errors import OnedataError
from onedata.identity.decisions import night_to_repeat
from onedata.landing.files import MEMBER, discover
from onedata.ledger.recover import refuse_without_warehouse
from onedata.ledger.told import accepted_nights, last_published, published_files, waiting_nights
from onedata.retailer import Retailer, load_retailer, prepare_warehouse
from onedata.settings import Settings
from onedata.warehouse import WarehouseBusy, open_warehouse
from onedata.warehouse.open import refuse_half_restored


def select_nights(settings: Settings, first: date | None, last: date | None) -> list[date]:
    """The nights to run: those with files, from `first` to `last`; a given bound is included even without files.

    Without bounds, only pending nights are selected: with a file unknown to the ledger, or an unpublished delivery; if
    there are none but OneID decisions are pending, a file of the retailer's own has changed or the published database
    is missing, the last night again. With a bound, unpublished accepted nights are reported: they are published with
    this run.
    """
    retailer = load_retailer(settings)
    refuse_half_restored(settings.home)
    refuse_without_warehouse(settings)
    far = last or settings.today()
    _within_calendar(settings, [day for day in (first, last) if day])
    if first or last:
        _tell_pending(settings)
        known, pending, again, latest = set[tuple[str, str, int, int]](), set[date](), None, None
    else:
        known, pending, again, latest = _ledger(retailer)
    found, later = {day for day in (first, last) if day} | pending, []
    for feed in retailer.feeds:
        # A table, or a path without a day, has no files of later nights: what it offers is tonight's.
        dated = "{ds}" in feed.location.path and not isinstance(feed.location.store, Database)
        for offer in discover(settings, feed, date.max if dated and not last else far):
            if offer.ds > far:
                later.append(offer.ds)
            elif (feed.name, offer.name, offer.size, offer.mtime_ns) in known:
                continue
            elif isinstance(feed.location.store, OwnFile):
                again = again or latest  # it belongs to no night: any that runs takes it
            else:
                found.add(offer.ds)
    if later:
        _tell_later(sorted(later), settings.today())
    if not found and again:
        found.add(again)
    return sorted(day for day in found if (first is None or day >= first) and day <= far)


def _tell_pending(settings: Settings) -> None:
    """Report nights that a killed run left accepted and unpublished; if the warehouse is busy, the run itself waits."""
    if not settings.warehouse.exists():
        return
    at_once = replace(settings, lock_wait_seconds=0.0)
    with suppress(WarehouseBusy, duckdb.CatalogException), open_warehouse(at_once, typer.echo) as con:
        nights = ", ".join(map(str, accepted_nights(con)))
        if nights:
            typer.echo(f"accepted by an earlier run and not published: {nights}; published with this run", err=True)


def _tell_later(nights: list[date], today: date) -> None:
    """Report files dated after today: they wait for their night, unless the clock or their name is wrong."""
    text = f"files of later nights wait: {len(nights)}, of {nights[0]} to {nights[-1]}; today is {today}"
    typer.echo(f"{text}. If that is wrong, set the clock or mend their names", err=True)


class NoSuchNight(OnedataError):
    """A day that is not a night of this retailer: before its first, in the future, or a range that ends before it
    begins."""


def _within_calendar(settings: Settings, bounds: list[date]) -> None:
    for day in bounds:
        if not settings.first_night <= day <= settings.today():
            raise NoSuchNight(
                f"{day} is no night to run: nights go from {settings.first_night} (setting first_night) to today, "
                f"{settings.today()}"
            )
    if bounds != sorted(bounds):
        raise NoSuchNight(f"--from {bounds[0]} is after --to {bounds[1]}")


def _ledger(retailer: Retailer) -> tuple[set[tuple[str, str, int, int]], set[date], date | None, date | None]:
    """Landed files, nights with unpublished deliveries, the night to build again, and the last published one; empty if
    there is no warehouse yet."""
    settings = retailer.settings
    refuse_half_restored(settings.home)
    if not settings.warehouse.exists():
        return set(), set(), None, None
    with open_warehouse(settings, typer.echo) as con:
        for text in prepare_warehouse(con, retailer):
            typer.echo(text, err=True)
        latest = last_published(con)
        again = night_to_repeat(con) or (None if settings.published_database.exists() else latest)
        return published_files(con, MEMBER), waiting_nights(con), again, latest
