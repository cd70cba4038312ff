"""Formatting of amounts, times and texts as the source systems print them, as Polars expressions; and storage of
texts."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

QUOTED = r'[",;\n\r]'


def money(cents: pl.Expr | str) -> pl.Expr:
    """Integer cents as a decimal with two places: ``-5`` is ``-0.05``."""
    value = pl.col(cents) if isinstance(cents, str) else cents
    size = value.abs()
    sign = pl.when(value < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(sign, size // 100, pl.lit("."), (size % 100).cast(pl.String).str.zfill(2))


def comma(cents: pl.Expr | str) -> pl.Expr:
    """The same with a decimal comma."""
    return money(cents).str.replace(".", ",", literal=True)


def clock(micros: pl.Expr | str, offset: pl.Expr | int, pattern: str) -> pl.Expr:
    """A moment (microseconds UTC) in the local time that is ``offset`` microseconds ahead."""
    value = pl.col(micros) if isinstance(micros, str) else micros
    return (value + offset).cast(pl.Datetime("us")).dt.strftime(pattern)


def iso(micros: pl.Expr | str, offset: int) -> pl.Expr:
    """ISO 8601 to the second with its offset; null stays null."""
    hours = offset // 3_600_000_000
    return clock(micros, offset, f"%Y-%m-%dT%H:%M:%S{'+' if hours >= 0 else '-'}{abs(hours):02d}:00")


def local_iso(micros: str, market: str, offsets: Mapping[str, int]) -> pl.Expr:
    """The same in the local time of each row's market (the column named ``market``)."""
    chosen = pl.lit(None, dtype=pl.String)
    for name, offset in offsets.items():
        chosen = pl.when(pl.col(market) == name).then(iso(micros, offset)).otherwise(chosen)
    return chosen


def json_text(value: pl.Expr | str) -> pl.Expr:
    """A text as JSON writes it; null becomes ``null``."""
    text = pl.col(value) if isinstance(value, str) else value
    escaped = text.str.replace_many(["\\", '"', "\n"], ["\\\\", '\\"', "\\n"])
    return pl.concat_str(pl.lit('"'), escaped, pl.lit('"')).fill_null("null")


def json_plain(value: pl.Expr | str) -> pl.Expr:
    """A text that needs no escaping (ids, codes, amounts, times)."""
    text = pl.col(value) if isinstance(value, str) else value
    return pl.concat_str(pl.lit('"'), text, pl.lit('"')).fill_null("null")


def json_raw(value: pl.Expr | str) -> pl.Expr:
    """A number, a boolean, or existing JSON."""
    raw = pl.col(value) if isinstance(value, str) else value
    return raw.cast(pl.String).fill_null("null")


def json_object(fields: Mapping[str, pl.Expr]) -> pl.Expr:
    """An object whose members are already JSON."""
    parts: list[pl.Expr] = []
    for number, (name, value) in enumerate(fields.items()):
        parts += [pl.lit(f'{"," if number else "{"}"{name}":'), value]
    return pl.concat_str(*parts, pl.lit("}"))


def csv_text(value: pl.Expr | str) -> pl.Expr:
    """A CSV field, quoted if necessary; null is an empty field."""
    text = pl.col(value) if isinstance(value, str) else value
    quoted = pl.concat_str(pl.lit('"'), text.str.replace_all('"', '""', literal=True), pl.lit('"'))
    return pl.when(text.str.contains(QUOTED)).then(quoted).otherwise(text).fill_null("")


def csv_plain(value: pl.Expr | str) -> pl.Expr:
    """A value that needs no quotes."""
    plain = pl.col(value) if isinstance(value, str) else value
    return plain.cast(pl.String).fill_null("")


def csv_line(fields: Mapping[str, pl.Expr], delimiter: str) -> pl.Expr:
    """A record whose values are already CSV."""
    return pl.concat_str(*fields.values(), separator=delimiter)


def xml_text(value: pl.Expr | str) -> pl.Expr:
    """Text content between tags."""
    text = pl.col(value) if isinstance(value, str) else value
    return text.str.replace_many(["&", "<", ">"], ["&amp;", "&lt;", "&gt;"])


def compact(frame: pl.DataFrame) -> pl.DataFrame:
    """A copy with its own text buffers: chosen rows would otherwise keep the texts of all rows in memory."""
    return pl.DataFrame(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
