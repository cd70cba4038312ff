"""Prepare profiles for the comparisons and the blocking. Raw text is only in a temporary table, never in a stored
one."""

from collections.abc import Mapping

import duckdb

from onedata.identity.scoring.nicknames import NICKNAMES
from onedata.sql import quote_name, quote_text

PROFILE_COLUMNS = (
    "given_name", "family_name", "email", "emails", "phone", "phones", "address", "postcode", "city", "birth_date",
    "birth_year", "gender",
)  # fmt: skip
"""Optional columns of a profile besides `profile_id`; a missing column counts as a column of nulls."""

PREPARED = "scoring_profile"


class ProfileError(ValueError):
    """The profiles do not have the columns that scoring needs."""


def prepare(con: duckdb.DuckDBPyConnection, profiles: str) -> int:
    """Fill the temporary table `scoring_profile` from the relation `profiles`; returns the number of profiles.

    Names, places and mailboxes are lower case without accents and punctuation; a Chinese name keeps its characters.
    `birth` is YYYYMMDD and may be an impossible day: a mistyped date still agrees in its other digits.

    Raises:
        ProfileError: `profile_id` is missing, null, not a whole number or not unique.
    """
    types = {row[0]: str(row[1]) for row in con.execute(f"describe select * from {profiles}").fetchall()}
    if not types.get("profile_id", "").endswith(("INT", "INTEGER")):
        raise ProfileError(
            f"{profiles}: needs a column profile_id of whole numbers, has "
            f"{', '.join(f'{name} {kind}' for name, kind in types.items())}"
        )
    con.execute(f"create or replace temp table {PREPARED} as {_prepared_sql(profiles, types)}")
    row = con.execute(f"select count(*), count(profile_id), count(distinct profile_id) from {PREPARED}").fetchone()
    assert row is not None
    if not row[0] == row[1] == row[2]:
        raise ProfileError(
            f"{profiles}: profile_id must be unique and never null; {row[0]} rows, {row[0] - row[1]} without one, "
            f"{row[2]} different"
        )
    return int(row[0])


def _prepared_sql(profiles: str, types: Mapping[str, str]) -> str:
    raw = {name: f"{quote_name(name)}" if name in types else "null" for name in PROFILE_COLUMNS}
    nicknames = (
        "map {" + ", ".join(f"{quote_text(short)}: {quote_text(long)}" for short, long in NICKNAMES.items()) + "}"
    )
    return f"""
    with cleaned as (
        select profile_id, {_name_sql(raw["given_name"])} as given, {_name_sql(raw["family_name"])} as family,
            {_values_sql(raw["emails"], raw["email"])} as emails, {_values_sql(raw["phones"], raw["phone"])} as phones,
            {_text_sql(raw["address"])} as address, {_text_sql(raw["postcode"])} as postcode, {_text_sql(raw["city"])}
                as city,
            {_birth_sql(raw["birth_date"])} as birth, {raw["birth_year"]}::int as known_birth_year,
                {_gender_sql(raw["gender"])} as gender
        from {profiles}
    )
    select profile_id, given, family, coalesce({nicknames}[given], given) as nickname, emails, emails[1] as email,
        nullif(regexp_replace(split_part(emails[1], '@', 1), '[^\\p{{L}}\\p{{N}}]+', '', 'g'), '') as mailbox, phones,
            phones[1] as phone,
        address, array_to_string(list_sort(string_split(address, ' ')), ' ') as address_sorted,
        nullif(trim(regexp_replace(address, '(^| )[0-9]+[a-z]?( |$)', ' ')), '') as street, postcode, city,
        birth, birth[1:4] || birth[7:8] || birth[5:6] as birth_turned, coalesce(birth[1:4]::int, known_birth_year) as
            birth_year, gender
    from cleaned
    """


def _text_sql(value: str) -> str:
    return f"nullif(trim(regexp_replace(lower(strip_accents({value}::varchar)), '[^\\p{{L}}\\p{{N}}]+', ' ', 'g')), '')"


def _name_sql(value: str) -> str:
    """An apostrophe joins (O'Brien), a hyphen separates."""
    return _text_sql(f"replace(replace({value}::varchar, '''', ''), '’', '')") if value != "null" else "null::varchar"


def _values_sql(several: str, one: str) -> str:
    """A list with the single value first; null when it is empty."""
    values = f"list_concat(coalesce({several}, []), [{one}]::varchar[])" if several != "null" else f"[{one}]::varchar[]"
    cleaned = f"list_distinct(list_filter(list_transform({values}, lambda v: lower(trim(v))), lambda v: v <> ''))"
    return f"case when len({cleaned}) > 0 then list_sort({cleaned}) end"


def _birth_sql(value: str) -> str:
    digits = f"regexp_replace({value}::varchar, '[^0-9]', '', 'g')"
    return f"case when length({digits}) = 8 then {digits} end"


def _gender_sql(value: str) -> str:
    return (
        f"case when lower({value}::varchar) in ('m', 'male', '男') then 'm' when lower({value}::varchar) in ('f', "
        "'w', 'female', '女') then 'f' end"
    )
