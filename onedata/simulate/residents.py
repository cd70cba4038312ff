"""The people in the form that the nights need: a million of them stay in memory, so nothing is stored twice or longer
than needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from onedata.simulate.calendar import MARKETS
from onedata.simulate.draws import Ints
from onedata.simulate.identity import ACCOUNT, CARD, Bytes, as_text
from onedata.simulate.people import SEGMENTS, People
from onedata.simulate.text import compact

_ORDERED = {"market": MARKETS, "segment": tuple(name for name, *_ in SEGMENTS)}
_REPEATED = (
    "city",
    "region",
    "country",
    "postcode",
    "address",
    "address_before",
    "family",
    "given",
    "gender",
    "card_name",
)
_PHONES = ("phone", "shop_phone", "card_phone")
_TEXTS = ("email", "email_mistyped", "card_email", "union_id", "pay_token", "tablet_cookie")
_NUMBERS = (
    "person_no",
    "lat",
    "lon",
    "birth_year",
    "activity",
    "home_store",
    "registered_days",
    "cookie_from",
    "cookie_count",
)
_YES_OR_NO = (
    "moved", "has_shop", "has_card", "has_social", "shop_before", "card_before", "consent_marketing",
    "consent_analytics",
    "union_on_card", "union_on_account", "mistypes_email",
)  # fmt: skip
_SHOWN = (
    {name: pl.col(name).cast(pl.String) for name in (*_ORDERED, *_REPEATED)}
    | {name: pl.concat_str(pl.lit("+"), pl.col(name)) for name in _PHONES}
    | {"card": CARD, "account_id": ACCOUNT}
)


@dataclass(frozen=True)
class Residents:
    """``frame``: one row per person, ordered by ``person_no`` from 0, with the columns of ``People.frame`` that nights
    need.

    Texts shared by many are enumerations, in order of ``MARKETS`` and ``SEGMENTS`` where these apply, and phones are
    integers: `shown` formats them. ``cookies``: one row of ASCII codes each; ``kiosks`` as in ``People``.
    """

    frame: pl.DataFrame
    cookies: Bytes
    kiosks: pl.Series

    def shown(self, names: Sequence[str], persons: pl.Series) -> pl.DataFrame:
        """Columns of ``People.frame`` in their original form, one row for each of ``persons``."""
        columns = {name: _SHOWN.get(name, pl.col(name)) for name in names}
        needed = dict.fromkeys(root for column in columns.values() for root in column.meta.root_names())
        return self.frame.select(*needed)[persons].select(**columns)

    def cookie(self, numbers: Ints) -> pl.Series:
        """Own cookies by their number."""
        return as_text("cookie", self.cookies[numbers])


def settle(people: People) -> Residents:
    """The people without the columns that only the ground truth needs."""
    frame = people.frame
    mistyped = pl.when("mistypes_email").then("email_mistyped").alias("email_mistyped")
    columns = [
        frame.select(*_NUMBERS, *_YES_OR_NO),
        frame.select(pl.col(name).cast(pl.Enum(values)) for name, values in _ORDERED.items()),
        *(
            frame.select(pl.col(name).cast(pl.Enum(frame[name].drop_nulls().unique(maintain_order=True))))
            for name in _REPEATED
        ),
        frame.select(pl.col(_PHONES).str.strip_prefix("+").cast(pl.Int64)),
        compact(frame.with_columns(mistyped).select(_TEXTS)),
    ]
    return Residents(pl.concat(columns, how="horizontal"), people.cookies, people.kiosks)
