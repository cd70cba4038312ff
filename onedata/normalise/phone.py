"""Telephone numbers to E.164, as SQL. A country's number patterns are looked up once per contract, never per row."""

import re
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, PhoneMetadata

from onedata.normalise.letters import fold_sql, let
from onedata.sql import quote_text

REGIONS = frozenset(SUPPORTED_REGIONS)
"""ISO 3166 codes of the countries whose numbers are known."""
_WORLDWIDE = "001"  # +800 and the like: of no country
_OTHER_DIGITS = "".join(map(chr, [*range(0x0660, 0x066A), *range(0x06F0, 0x06FA), 0xFE62]))
_EXTENSION = (
    r"[ \t,;./-]*(?:e?xt(?:ensi[oó]n?|n)?|x|#|~|int|dw|durchwahl|app(?:arat)?|anexo|ramal"
    r"|poste|доб|分机号?|分機|内线|內線|转|轉|,,+|;(?:ext=)?)"
    r"[ .:#-]*\d{1,9}#?\)?\s*$"
)


def phone_sql(value: str, region: str) -> str:
    """SQL: the number as +, country code and national number; NULL if it cannot be a real one.

    A number without + or international prefix belongs to `region`. Extensions are dropped: people who share a
    switchboard share its number.

    Method: that of libphonenumber (its rules and metadata, from the package phonenumbers), with the patterns of all
    kinds of number of a country.

    Args:
        value: SQL of a text.
        region: ISO 3166 code of `REGIONS`.

    Raises:
        ValueError: the region is not in `REGIONS`.
    """
    text = f"regexp_replace({_digits(fold_sql(value))}, {quote_text(_EXTENSION)}, '')"
    signed = let(
        text,
        "t",
        r"case when regexp_matches(t, '^[^0-9]*\+') then '+' else '' end || regexp_replace(t, '[^0-9]', '', 'g')",
    )
    metadata = _metadata(region)
    abroad = quote_text(f"^(?:{metadata.international_prefix})0*([1-9])")
    whole = let(
        signed,
        "s",
        rf"case when s[1] = '+' then regexp_replace(s, '^\+0*', '+') when regexp_matches(s, {abroad}) then "
        rf"regexp_replace(s, {abroad}, '+\1') "
        f"else '+{metadata.country_code}' || {_national(metadata, _pattern(region))} end",
    )
    # The trunk prefix written after a country code: +49 (0)30.
    without_trunk = rf"regexp_replace({whole}, '^\+({'|'.join(_zero_trunk())})0+', '+\1')"
    return let(without_trunk, "e", f"case when regexp_full_match(e, {quote_text(_possible())}) then e end")


def _digits(text: str) -> str:
    """SQL: Arabic and Persian digits, and a small plus, as ASCII."""
    return let(
        text,
        "f",
        f"case when strlen(f) = length(f) then f else translate(f, {quote_text(_OTHER_DIGITS)}, '{'0123456789' * 2}+') "
        "end",
    )


def _national(metadata: PhoneMetadata, numbers: str) -> str:
    """SQL: digits `s`, written within the country, as its national number, or NULL. The trunk prefix is removed, unless
    they are a number only with it."""
    pattern = quote_text(numbers)
    prefix = f"^(?:{metadata.national_prefix_for_parsing})" if metadata.national_prefix_for_parsing else None
    stripped = "s"
    if prefix:
        stripped = f"regexp_replace(s, {quote_text(prefix)}, '')"
        rule, groups = metadata.national_prefix_transform_rule, re.compile(prefix).groups
        if rule and groups:
            moved = f"regexp_replace(s, {quote_text(prefix)}, {quote_text(rule)})"
            stripped = (
                f"case when regexp_extract(s, {quote_text(prefix)}, {groups}) != '' then {moved} else {stripped} end"
            )
    # The country code without its +: 86 138 0013 8000.
    trunk = f"(?:{metadata.national_prefix})?" if metadata.national_prefix else ""
    coded = f"regexp_replace(s, '^{metadata.country_code}{trunk}', '')"
    starts = f"starts_with(s, '{metadata.country_code}')"
    return let(
        stripped,
        "n",
        f"case when regexp_full_match(n, {pattern}) then n when regexp_full_match(s, {pattern}) then s "
        f"when {starts} and regexp_full_match({coded}, {pattern}) then {coded} end",
    )


def _metadata(region: str) -> PhoneMetadata:
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        raise ValueError(f"no numbers of a country {region!r} are known")
    return metadata


def _pattern(region: str) -> str:
    """A regular expression of the country's national numbers of every kind."""
    general = _metadata(region).general_desc
    return str(general.national_number_pattern) if general else ""


@cache
def _possible() -> str:
    """A regular expression of every number that some country may have assigned."""
    countries = []
    for code, regions in sorted(COUNTRY_CODE_TO_REGION_CODE.items()):
        patterns = dict.fromkeys(_pattern(region) for region in regions if region != _WORLDWIDE)
        if patterns:
            countries.append(f"{code}(?:{'|'.join(patterns)})")
    return rf"\+(?:{'|'.join(countries)})"


@cache
def _zero_trunk() -> tuple[str, ...]:
    """Country codes whose trunk prefix is 0 and not part of the number."""
    codes = COUNTRY_CODE_TO_REGION_CODE.items()
    return tuple(
        str(code)
        for code, regions in codes
        if regions[0] != _WORLDWIDE and _metadata(regions[0]).national_prefix == "0"
    )
