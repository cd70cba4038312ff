"""Slowly changing data: accounts, members, consents, the catalogue and the ledger accounts."""

from __future__ import annotations

import numpy as np
import polars as pl

from onedata.simulate.calendar import DAY, HOUR, SECOND, Night, night_of
from onedata.simulate.draws import Bools, Ints
from onedata.simulate.prices import Prices
from onedata.simulate.state import State

UPDATES_WITHIN = 30
"""Days within which who moved or has a new number tells the shop and the tills."""
RISES = 1 / 800
WITHDRAWS = 1 / 1_500
PURPOSES = ("marketing", "analytics")
TIERS = ("basic", "silver", "gold")
TIER_SHARES = [0.72, 0.24, 0.04]
ACCOUNTS = (
    # code, name, type, balance as a share of a month's revenue
    ("1001", "Cash and bank", "asset", 2.1),
    ("1405", "Inventory", "asset", 1.4),
    ("1601", "Fixed assets", "asset", 3.2),
    ("2202", "Trade payables", "liability", -1.9),
    ("4001", "Equity", "equity", -4.8),
    ("6001", "Revenue", "income", -1.0),
    ("6401", "Cost of goods sold", "expense", 0.46),
    ("6601", "Marketing", "expense", 0.05),
    ("6602", "Fulfilment", "expense", 0.09),
    ("6603", "Staff", "expense", 0.14),
    ("6604", "Rent", "expense", 0.08),
    ("6605", "Technology", "expense", 0.03),
    ("6606", "Omnichannel programme", "expense", 0.01),
    ("6701", "Savings of the omnichannel programme", "income", -0.015),
)


def shop_profiles(state: State, night: Night, registered: pl.DataFrame) -> pl.DataFrame:
    """Shop accounts to deliver: all on the first night, then new and changed ones; one row per version.

    ``person_no, registered_us, updated_us``, and ``told``: whether the shop knows the current address and phone.
    """
    return _versions(state, night, registered, state.has_account, "shop_before", "shop_phone")


def card_profiles(state: State, night: Night, joined: pl.DataFrame) -> pl.DataFrame:
    """The same for loyalty members, with their ``tier``; some rise by one tier."""
    rows = _versions(state, night, joined, state.has_card, "card_before", "card_phone")
    rises = state.world.draws.chance("rises", len(state.tier), RISES if night.number else 0, night.number)
    risen = np.flatnonzero(rises & state.world.people.frame["card_before"].to_numpy() & (state.tier < len(TIERS) - 1))
    state.tier[risen] += 1
    more = state.world.people.frame.select("person_no", "registered_days")[risen].select(
        "person_no",
        _since(state),
        pl.lit(night.opens + 2 * HOUR).cast(pl.Int64).alias("updated_us"),
        pl.Series("told", _tells_on(state, "card_phone")[risen] <= night.number),
    )
    rows = pl.concat([rows, more.filter(~pl.col("person_no").is_in(rows["person_no"].implode()))]).sort(
        "updated_us", "person_no"
    )
    return rows.with_columns(pl.Series("tier", TIERS).gather(state.tier[rows["person_no"].to_numpy()]))


def consents(state: State, night: Night, registered: pl.DataFrame, joined: pl.DataFrame) -> pl.DataFrame:
    """Consent decisions: at registration for each purpose, and occasional withdrawals.

    ``person_no, source`` (0 the shop, 1 the tills), ``purpose`` (position in ``PURPOSES``), ``granted, recorded_us``.
    """
    parts = []
    for source, before, new, has in (
        (0, "shop_before", registered, state.has_account),
        (1, "card_before", joined, state.has_card),
    ):
        rows = _registered(state, night, new, before)
        for purpose, name in enumerate(PURPOSES):
            granted = state.world.people.frame[f"consent_{name}"].gather(rows["person_no"])
            parts.append(
                rows.with_columns(_small(purpose, "purpose"), granted.alias("granted"), _small(source, "source"))
            )
        agreed = has & state.world.people.frame["consent_marketing"].to_numpy()
        agreed[new["person_no"].to_numpy()] = False
        gone = np.flatnonzero(
            agreed
            & state.world.draws.chance(f"withdraws {source}", len(has), WITHDRAWS if night.number else 0, night.number)
        )
        at = night.opens + 12 * HOUR + np.arange(len(gone)) % 30_000 * SECOND
        withdrawn = pl.DataFrame(
            {"person_no": gone, "registered_us": at}, schema={"person_no": pl.Int64, "registered_us": pl.Int64}
        )
        parts.append(
            withdrawn.with_columns(_small(0, "purpose"), pl.lit(value=False).alias("granted"), _small(source, "source"))
        )
    return (
        pl.concat(parts).rename({"registered_us": "recorded_us"}).sort("recorded_us", "person_no", "source", "purpose")
    )


def _small(value: int, name: str) -> pl.Expr:
    return pl.lit(value, dtype=pl.Int8).alias(name)


def product_rows(state: State, night: Night, prices: Prices) -> pl.DataFrame:
    """The whole catalogue on the first night, then re-priced products: the columns of ``World.products`` with tonight's
    ``list_price`` and ``updated_us``."""
    updated = np.where(prices.changed, night.opens, night.opens - 60 * DAY)
    rows = state.world.products.with_columns(
        pl.Series("list_price", state.list_price), pl.Series("updated_us", updated)
    )
    return rows if not night.number else rows.filter(pl.Series(prices.changed))


def ledger_rows(state: State, night: Night) -> pl.DataFrame:
    """Balances of the previous month, on the first night and on the first of each month, else no rows; amounts in cents
    CNY, debits positive.

    A month that was simulated only in small part (the run begins within it) is treated as an average month.
    The books balance: assets, liabilities and equity add up to the month's result with income and expense.
    """
    is_due = not night.number or night.day.day == 1
    month, year = (night.day.month - 2) % 12 + 1, night.day.year - (night.day.month == 1)
    revenue = state.ledger.pop("revenue", 0) if night.number and is_due else 0
    settings = state.world.settings
    usual = int(settings.customers * settings.rate * 30 * 55_000)
    revenue = revenue if revenue > usual // 3 else usual
    noise = 0.95 + 0.1 * state.world.draws.uniform("books", len(ACCOUNTS), night.number)
    balance = [
        round(revenue * share * (1.0 if code == "6001" else part))
        for (code, _, _, share), part in zip(ACCOUNTS, noise, strict=True)
    ]
    # Equity takes the remainder.
    equity = [code for code, *_ in ACCOUNTS].index("4001")
    balance[equity] -= sum(balance)
    rows = pl.DataFrame(
        {
            "account_code": [code for code, *_ in ACCOUNTS],
            "account_name": [name for _, name, _, _ in ACCOUNTS],
            "account_type": [kind for _, _, kind, _ in ACCOUNTS],
            "balance": balance,
        }
    ).with_columns(
        pl.lit(f"{year}-{month:02d}").alias("period"), pl.lit(night.opens + HOUR).cast(pl.Int64).alias("posted_us")
    )
    return rows if is_due else rows.clear()


def _registered(state: State, night: Night, new: pl.DataFrame, before: str) -> pl.DataFrame:
    """People who registered tonight, and on the first night all who had before: ``person_no, registered_us``."""
    rows = new.select("person_no", "registered_us")
    if night.number:
        return rows
    old = state.world.people.frame.select("person_no", "registered_days", before).filter(before)
    return pl.concat([old.select("person_no", _since(state)), rows])


def _since(state: State) -> pl.Expr:
    """Registration time of people who registered before the first night; the same in every version."""
    first = night_of(state.world.settings.start, 0).opens
    return (first + 8 * HOUR - pl.col("registered_days") * DAY + pl.col("person_no") * 7_919 % 50_000 * SECOND).alias(
        "registered_us"
    )


def _versions(state: State, night: Night, new: pl.DataFrame, has: Bools, before: str, phone: str) -> pl.DataFrame:
    rows = _registered(state, night, new, before).with_columns(
        pl.col("registered_us").alias("updated_us"), pl.lit(value=False).alias("told")
    )
    changed = _tells_tonight(state, night, has, phone, before)
    rows = rows.filter(~pl.col("person_no").is_in(pl.Series(changed).implode()))
    clock = night.opens + 10 * HOUR + changed * 104_729 % 36_000 * SECOND
    people = state.world.people.frame.select("person_no", "registered_days")[changed]
    updates = people.select(
        "person_no", _since(state), pl.Series("updated_us", clock), pl.lit(value=True).alias("told")
    )
    return pl.concat([rows, updates]).sort("updated_us", "person_no")


def _tells_tonight(state: State, night: Night, has: Bools, phone: str, before: str) -> Ints:
    """People who report a new address or number tonight: only those who had registered before the first night."""
    frame = state.world.people.frame
    if not 0 < night.number <= UPDATES_WITHIN:
        return np.zeros(0, dtype=np.int64)
    stale = (frame["phone"] != frame[phone]).to_numpy()
    if phone == "shop_phone":
        stale |= frame["moved"].to_numpy()
    return np.flatnonzero(has & frame[before].to_numpy() & stale & (_tells_on(state, phone) == night.number))


def _tells_on(state: State, phone: str) -> Ints:
    """The night on which each person with a change reports it."""
    return 1 + state.world.draws.below(f"tells {phone}", state.world.people.frame.height, UPDATES_WITHIN)
