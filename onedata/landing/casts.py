"""The SQL of casts: a source's value as a canonical type, NULL where it cannot be read right. Pure.

DuckDB's own casts take more than a feed may mean: they round '12.5' to an integer, read '0x1F' and '1_000' as numbers,
'epoch' and '2026-01-05 - 2026-01-09' as days, and drop the offset of an instant. Each cast here takes one way of
writing fast and the others by a pattern; anything else is NULL, and the row goes to quarantine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from onedata.contracts.model import DIGITS, SQL_TYPES, ClockChange, ColumnType
from onedata.sql import quote_text

OPEN_END = "9999-12-31"
"""The day by which sources say that something has no end."""
FIRST_CLOCK_DAY, LAST_CLOCK_DAY = date(1970, 1, 1), date(2101, 1, 1)
"""Changes of clocks are looked up between these days; before and after, DuckDB's own reading holds."""

_DAY = r"\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}"
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
_LOCAL = rf"(?:{_DAY})(?:[ T]{_TIME})?"
_OFFSET = r"[+-](?:0\d|1[0-4])(?::?[0-5]\d)?"
_ZONE = r"[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?"
_MIDNIGHT = r"[ T]0?0:00(?::00(?:\.0{1,9})?)?"


@dataclass(frozen=True)
class Zone:
    """The zone of a feed's local times, how a time at a change of clocks is read, and the night of the file, around
    which most of its times lie."""

    name: str
    clock: ClockChange
    night: date

    def near(self) -> "_Near":
        """The days around the night in which the clocks keep their offset."""
        days, offsets = _clock_days(self.name)
        before = max((day for day in days if day < self.night), default=FIRST_CLOCK_DAY)
        after = min((day for day in days if day >= self.night), default=LAST_CLOCK_DAY)
        if before + timedelta(1) >= after:
            return _Near(after, after, 0, days)
        return _Near(before + timedelta(1), after, offsets[before], days)


@dataclass(frozen=True)
class _Near:
    """Local days from `first` to before `end` with one offset from UTC, in seconds; `days` are all days of the zone on
    which the clocks may change."""

    first: date
    end: date
    offset: int
    days: tuple[date, ...]

    def holds(self, local: str) -> str:
        return f"({local}) >= timestamp '{self.first}' and ({local}) < timestamp '{self.end}'"

    def changes(self, local: str) -> str:
        """SQL of whether the clocks may change on the day of a local time. Of an IN with so many days DuckDB makes a
        join, which each row goes through (1.5.5); a list is looked at only for rows of the months in question."""
        months = sorted({day.month for day in self.days})
        days = ", ".join(f"date '{day}'" for day in self.days)
        return f"list_contains({months}::bigint[], month({local})) and list_contains([{days}]::date[], ({local})::date)"


@cache
def _clock_days(name: str) -> tuple[tuple[date, ...], Mapping[date, int]]:
    """The local days on which the zone's clocks may change, and the offset in seconds that holds after each of them and
    after the first day of all."""
    zone = ZoneInfo(name)
    days: dict[date, None] = {}
    offsets: dict[date, int] = {}
    earlier = None
    for number in range((LAST_CLOCK_DAY - FIRST_CLOCK_DAY).days):
        day = FIRST_CLOCK_DAY + timedelta(number)
        offset = datetime(day.year, day.month, day.day, tzinfo=zone).utcoffset()
        assert offset is not None
        now = int(offset.total_seconds())
        if earlier is None:
            offsets[day] = now
        elif now != earlier:
            days |= dict.fromkeys((day - timedelta(1), day))
            offsets |= {day - timedelta(1): now, day: now}
        earlier = now
    return tuple(days), offsets


def engine_cast(text: str, to: ColumnType) -> str | None:
    """DuckDB's own cast of a text, which the casts below start from; None if there is none for the type.

    A caller that keeps it in a column passes that to them as `cast`: it is then made once for each value.
    """
    return None if to in ("text", "boolean") else f"try_cast({text} as {SQL_TYPES[to]})"


def integer_from_text(text: str, cast: str | None = None) -> str:
    """A whole number; a fraction only if it is zero ('12.0')."""
    number = cast or f"try_cast({text} as bigint)"
    digits = f"regexp_extract({text}, '^[+-]?\\d+')"
    return (
        f"case when {number}::varchar = {text} then {number} "
        f"when regexp_full_match({text}, '[+-]?\\d+(?:\\.0*)?') then try_cast({digits} as bigint) end"
    )


def decimal_from_text(text: str, cast: str | None = None, to: ColumnType = "decimal") -> str:
    """A number whose digits the type holds; digits beyond only if they are zeros."""
    number = cast or f"try_cast({text} as {SQL_TYPES[to]})"
    return (
        # The usual ways of writing are the start of the canonical one, '12.5000'.
        f"case when starts_with({number}::varchar, {text}) then {number} "
        f"when regexp_full_match({text}, '[+-]?\\d*(?:\\.\\d{{0,{DIGITS[to]}}}0*)?') then {number} "
        # An exponent: the digits it stands for are only counted here, where few values come.
        f"when regexp_full_match({text}, '[+-]?\\d+(?:\\.\\d*)?[eE][+-]?\\d{{1,2}}') "
        f"and try_cast({text} as decimal(38,18)) = {number} then {number} end"
    )


def double_from_text(text: str, cast: str | None = None) -> str:
    """A finite number."""
    number = cast or f"try_cast({text} as double)"
    return f"case when isfinite({number}) and not contains({text}, '_') then {number} end"


def number_from_number(value: str, kind: str, to: ColumnType) -> str:
    """A number of a typed file: unchanged, or NULL where the type would round it."""
    if to == "double":
        return f"case when isfinite({value}::double) then {value}::double end"
    cast = f"try_cast({value} as {SQL_TYPES[to]})"
    return cast if "INT" in kind else f"case when {cast} = {value} then {cast} end"


def without_open_end(value: str, kind: str = "VARCHAR") -> str:
    """NULL for a day or an instant on `OPEN_END`, the value else."""
    if kind == "DATE":
        return f"case when {value} = date '{OPEN_END}' then null else {value} end"
    if kind != "VARCHAR":
        # The day of an instant with a zone costs far more than a comparison.
        first, end = (f"{kind} '{day} 00:00:00+00'" for day in (OPEN_END, "10000-01-01"))
        return f"case when {value} >= {first} and {value} < {end} then null else {value} end"
    pattern = rf"{OPEN_END}(?:[ T]{_TIME} ?(?:Z|{_OFFSET})?)?\s*"
    # The pattern is for the few texts that begin so; a comparison is cheaper than their beginning.
    return f"case when {value} >= '{OPEN_END}' and regexp_full_match({value}, '{pattern}') then null else {value} end"


def date_from_text(text: str, cast: str | None = None) -> str:
    """A day, alone or with midnight behind it."""
    day = cast or f"try_cast({text} as date)"
    return (
        f"case when {day}::varchar = {text} then {day} "
        f"when regexp_full_match({text}, '(?:{_DAY})(?:{_MIDNIGHT})?') then "
        f"try_cast(regexp_extract({text}, '^[^ T]+') as date) end"
    )


def usual_instant(text: str, zone: Zone, cast: str, shown: str) -> str:
    """UTC from a text in one of the usual ways of writing, which need no pattern or a short one; NULL for the others.

    A text that starts with its local time as DuckDB writes it needs no pattern, which costs more than the cast, if
    nothing or a usual mark of a zone follows.

    Args:
        text: SQL of the text.
        zone: The zone of a local time.
        cast: A column of the text's `engine_cast`, which is the local time that it says.
        shown: A column of that as a text (`local_shown`).
    """
    local = instant_from_local(cast, zone)
    marks = dict.fromkeys(("Z", "+00", "+00:00"), cast)
    offset = 0 if zone.name == "UTC" else zone.near().offset
    if offset and offset % 3600 == 0:
        hours = f"{'-' if offset < 0 else '+'}{abs(offset) // 3600:02}"
        marks |= dict.fromkeys((hours, f"{hours}:00"), f"{cast} - to_seconds({offset})")
    whens = [f"when {shown} = {text} then {local}"]
    for mark, utc in marks.items():
        length = f"strlen({text}) = strlen({shown}) + {len(mark)}"
        whens.append(f"when {length} and ends_with({text}, '{mark}') and starts_with({text}, {shown}) then {utc}")
    if zone.name == "UTC":
        whens.append(f"when regexp_full_match({text}, '{_LOCAL}Z?') then {cast}")
    else:
        whens.append(f"when ends_with({text}, 'Z') and regexp_full_match({text}, '{_LOCAL}Z') then {cast}")
        whens.append(f"when regexp_full_match({text}, '{_LOCAL}') then {local}")
    return f"case {' '.join(whens)} end"


def start_of_instant(text: str, usual: str) -> str:
    """The day and time that a text starts with, of one that is not `usual`."""
    return f"case when {usual} is null and {text} is not null then regexp_extract({text}, '^({_LOCAL})', 1) end"


def unusual_instant(text: str, start: str) -> str:
    """UTC from a text with an offset, Z, UTC, GMT or the name of a zone. The session's zone must be UTC.

    Args:
        text: SQL of the text.
        start: A column of its `start_of_instant`.
    """
    mark = f"trim(substr({text}, length({start}) + 1))"
    named = f"try_cast({start} || ' ' || {mark} as timestamptz)"
    in_zone = [f"timezone({mark}, {named} + to_hours({hours}))" for hours in (0, -1, 1)]
    settled = [
        f"{there} {sign} try_cast({start} as timestamp)" for there, sign in zip(in_zone, ("=", "<>", "<>"), strict=True)
    ]
    dated = rf"(?:{_DAY})[ T]{_TIME}"
    return (
        f"case when {start} is null or {start} = '' then null "
        f"when regexp_full_match({text}, '{dated}{_OFFSET}') then {_in_utc(f'try_cast({text} as timestamptz)')} "
        f"when regexp_full_match({text}, '{_LOCAL} ?(?:[zZ]|UTC|GMT|utc|gmt)') then try_cast({start} as timestamp) "
        f"when regexp_full_match({text}, '{dated} {_OFFSET}') then "
        f"{_in_utc(f'try_cast({start} || {mark} as timestamptz)')} "
        f"when regexp_full_match({text}, '{dated} {_ZONE}') then "
        f"case when {named} is null then null when {' and '.join(settled)} then {_in_utc(named)} end end"
    )


def local_shown(local: str) -> str:
    """A local time as DuckDB writes it, 'YYYY-MM-DD HH:MM:SS' with a fraction if there is one; NULL beside the years 1
    to 9999, which it writes in other ways."""
    return (
        f"case when {local} >= timestamp '0001-01-01' and {local} < timestamp '10000-01-01' then {local}::varchar end"
    )


def local_of_text(text: str) -> str:
    """The local time that a text says; NULL where it has an offset or a zone."""
    return f"case when regexp_full_match({text}, '{_LOCAL}') then try_cast({text} as timestamp) end"


def instant_from_timestamp(value: str, kind: str, zone: Zone) -> str:
    """UTC from a value of a timestamp type."""
    return _in_utc(value) if kind.endswith("WITH TIME ZONE") else instant_from_local(value, zone)


def instant_from_local(local: str, zone: Zone) -> str:
    """UTC from local time. On a day on which the clocks change, the offsets of the day before and of the day after are
    both tried: a time that both or neither can tell is read as the contract's `clockChange` says."""
    if zone.name == "UTC":
        return local
    near = zone.near()
    usual = f"(({local}) at time zone {quote_text(zone.name)}) at time zone 'UTC'"
    far = f"case when {near.changes(local)} then {_on_clock_day(local, zone)} else {usual} end"
    return f"case when {near.holds(local)} then {local} - to_seconds({near.offset}) else {far} end"


def local_day(utc: str, zone: Zone) -> str:
    """The day that clocks in the zone show at an instant in UTC."""
    if zone.name == "UTC":
        return f"({utc})::date"
    near = zone.near()
    local = f"({utc}) + to_seconds({near.offset})"
    far = f"(({utc}) at time zone 'UTC') at time zone {quote_text(zone.name)}"
    return f"(case when {near.holds(local)} then {local} else {far} end)::date"


def is_clock_change(local: str, zone: Zone) -> str:
    """SQL, never NULL: the local time comes twice, or never, on the day on which the clocks change."""
    if zone.name == "UTC":
        return "false"
    near = zone.near()
    before, after = _by_neighbour(local, zone)
    unsettled = f"(({_shows(before, local, zone)}) = ({_shows(after, local, zone)}) and {before} <> {after})"
    return f"coalesce(case when {near.holds(local)} then false when {near.changes(local)} then {unsettled} end, false)"


def _on_clock_day(local: str, zone: Zone) -> str:
    before, after = _by_neighbour(local, zone)
    unsettled = {"refuse": "null", "earlier": f"least({before}, {after})", "later": f"greatest({before}, {after})"}
    return (
        f"case when {before} = {after} then {before} "
        f"when ({_shows(before, local, zone)}) = ({_shows(after, local, zone)}) then {unsettled[zone.clock]} "
        f"when {_shows(before, local, zone)} then {before} else {after} end"
    )


def _by_neighbour(local: str, zone: Zone) -> tuple[str, str]:
    """The UTC of a local time by the offset of the day before, and by that of the day after."""
    name = quote_text(zone.name)
    return (
        f"((({local}) - interval 1 day) at time zone {name} at time zone 'UTC' + interval 1 day)",
        f"((({local}) + interval 1 day) at time zone {name} at time zone 'UTC' - interval 1 day)",
    )


def _shows(utc: str, local: str, zone: Zone) -> str:
    """Whether clocks in the zone show the local time at that moment."""
    return f"(({utc}) at time zone 'UTC') at time zone {quote_text(zone.name)} = ({local})"


def _in_utc(instant: str) -> str:
    """UTC of a timestamptz, from its microseconds: the calendar costs far more."""
    return f"make_timestamp(epoch_us({instant}))"
