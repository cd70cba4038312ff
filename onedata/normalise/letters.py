"""Steps shared by all normalisers: one code for each character. SQL builders, pure.

DuckDB has NFC but no NFKC: full-width forms, which people type, are mapped here; ligatures and the like, which they do
not type, are kept.
"""

from onedata.sql import quote_text

_WRONG = (
    "".join(map(chr, range(0xFF01, 0xFF5F)))
    + "\u00a0\u2002\u2003\u2007\u2009\u202f\u3000"
    + "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
)
_RIGHT = "".join(map(chr, range(0x21, 0x7F))) + " " * 7 + "-" * 7
_WRONG_CLASS = r"[\x{FF01}-\x{FF5E}\x{A0}\x{2002}\x{2003}\x{2007}\x{2009}\x{202F}\x{3000}\x{2010}-\x{2015}\x{2212}]"
# Invisible characters: soft hyphens, zero-width characters, and direction marks that are copied along with a number.
_UNSEEN = r"[\x{00AD}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{2066}-\x{2069}\x{FE0E}\x{FE0F}\x{FEFF}]"


def let(expression: str, name: str, body: str) -> str:
    """SQL of `body`, in which `name` stands for `expression`, evaluated once."""
    return f"list_transform([{expression}], lambda {name}: {body})[1]"


def fold_sql(value: str) -> str:
    """SQL: NFC in lower case, full-width forms as ASCII, one form of blank and dash, no invisible characters."""
    # Most values are ASCII (as many bytes as characters), and few others contain mapped characters: translate costs as
    # much as all other steps together.
    mapped = (
        f"case when regexp_matches(v, {quote_text(_WRONG_CLASS)}) then translate(v, {quote_text(_WRONG)}, "
        f"{quote_text(_RIGHT)}) else v end"
    )
    folded = f"nfc_normalize(lower(regexp_replace({mapped}, {quote_text(_UNSEEN)}, '', 'g')))"
    return let(value, "v", f"case when strlen(v) = length(v) then lower(v) else {folded} end")


def squeezed(value: str) -> str:
    """SQL: without surrounding blanks, and with each run of blanks as one space."""
    return rf"trim(regexp_replace({value}, '\s+', ' ', 'g'))"


def filled(value: str) -> str:
    """SQL: NULL for an empty text. (nullif would evaluate the text twice.)"""
    return let(value, "r", "case when r != '' then r end")
