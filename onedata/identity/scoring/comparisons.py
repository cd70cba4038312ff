"""The comparisons of a pair of profiles, level by level, and the agreement expected of one person's two profiles.

Method: Fellegi and Sunter (1969). A level holds in a share m of the pairs of one person and in a share u of the pairs
of two; it adds log2(m / u) to the pair's weight. u is measured on the data; the m below are estimates of how often
people's details are mistyped, changed or omitted, the same for all data and fitted to none. A value missing on either
side adds nothing.

Columns are those of `prepare`; `_l` and `_r` are the pair's two sides. The first level that holds counts.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """One level of agreement. `frequency_of` names the column whose rare values count more; it requires plain equality
    of that column."""

    label: str
    sql: str
    m: float
    u: float
    frequency_of: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Levels from full agreement to none; `missing` is true if there is nothing to compare."""

    name: str
    missing: str
    levels: tuple[Level, ...]


ELSE = "else"


def _missing(*columns: str) -> str:
    """No column has a value on both sides."""
    return " and ".join(f"({column}_l is null or {column}_r is null)" for column in columns)


def _similar(column: str, least: float, other: str = "") -> str:
    return f"jaro_winkler_similarity({column}_l, {other or column}_r) >= {least}"


def _one_letter(column: str) -> str:
    """A typing error; in a name of one or two letters, such as a Chinese one, it would make another name."""
    # Jaro-Winkler is ten times cheaper, and an error in three letters leaves it at 0.77.
    slip = f"damerau_levenshtein({column}_l, {column}_r) <= 1"
    return (
        f"case when length({column}_l) > 2 and length({column}_r) > 2 and {_similar(column, 0.75)} then {slip} "
        "else false end"
    )


SWAPPED = f"({_similar('given', 0.88, 'family')} and {_similar('family', 0.88, 'given')})"
"""Given and family name are swapped, as happens in forms and imports. It counts once, in `given`; `family` is then
missing."""
MISPLACED = "(given_l = family_r or family_l = given_r)"
FIRST_OF_CHINESE = 0x2E80


def other_script(column: str) -> str:
    """One is written in Chinese characters and the other is not: they cannot be compared, and do not contradict."""
    return (
        f"coalesce((unicode({column}_l) >= {FIRST_OF_CHINESE}) <> (unicode({column}_r) >= {FIRST_OF_CHINESE}), false)"
    )


INITIAL = "(length(given_l) = 1 or length(given_r) = 1) and left(given_l, 1) = left(given_r, 1)"
NICKNAME = "(starts_with(given_l, given_r) or starts_with(given_r, given_l) or nickname_l = nickname_r)"

# Level: label, SQL, m, u.
GIVEN = Comparison(
    "given",
    f"({_missing('given')} or {other_script('given')}) and not coalesce({MISPLACED}, false)",
    (
        Level("same", "given_l = given_r", 0.80, 5e-3, frequency_of="given"),
        Level("swapped", SWAPPED, 0.03, 1e-5),
        Level("in the other's place", MISPLACED, 0.01, 1e-3),
        Level("short form", f"({INITIAL}) or {NICKNAME}", 0.04, 4e-3),
        Level("one letter", f"{_one_letter('given')} or {_similar('given', 0.92)}", 0.06, 3e-3),
        Level("similar", _similar("given", 0.82), 0.02, 6e-3),
        Level("different", ELSE, 0.04, 0.98),
    ),
)
FAMILY = Comparison(
    "family",
    f"{_missing('family')} or {other_script('family')} or coalesce({SWAPPED} or {MISPLACED}, false)",
    (
        Level("same", "family_l = family_r", 0.85, 4e-3, frequency_of="family"),
        Level("one letter", f"{_one_letter('family')} or {_similar('family', 0.92)}", 0.07, 2e-3),
        Level("similar", _similar("family", 0.82), 0.02, 4e-3),
        Level("different", ELSE, 0.06, 0.99),
    ),
)
BIRTH = Comparison(
    "birth",
    _missing("birth_year"),
    (
        Level("same day", "birth_l = birth_r", 0.80, 5e-5),
        Level(
            "one digit or day and month",
            "case when hamming(birth_l, birth_r) <= 2 then damerau_levenshtein(birth_l, birth_r) <= 1 else "
            "birth_turned_l = birth_r end",
            0.08,
            8e-4,
        ),
        Level(
            "two of year, month and day",
            "(birth_year_l = birth_year_r)::int + (birth_l[5:6] = birth_r[5:6])::int + (birth_l[7:8] = "
            "birth_r[7:8])::int = 2",
            0.05,
            2e-3,
        ),
        Level("year or the next", "abs(birth_year_l - birth_year_r) <= 1", 0.04, 0.04),
        Level("different", ELSE, 0.03, 0.957),
    ),
)
EMAIL = Comparison(
    "email",
    _missing("email"),
    (
        Level("shared", "list_has_any(emails_l, emails_r)", 0.55, 1e-6),
        Level("same before the @", "mailbox_l = mailbox_r", 0.06, 1e-5),
        Level(
            "two letters off",
            f"abs(length(email_l) - length(email_r)) <= 2 and {_similar('email', 0.9)} and "
            "damerau_levenshtein(email_l, email_r) <= 2",
            0.08,
            1e-5,
        ),
        Level("different", ELSE, 0.31, 0.99998),
    ),
)
PHONE = Comparison(
    "phone",
    _missing("phone"),
    (
        Level("shared", "list_has_any(phones_l, phones_r)", 0.60, 1e-6),
        Level(
            "one digit",
            "case when length(phone_l) = length(phone_r) then hamming(phone_l, phone_r) <= 1 else false end",
            0.02,
            1e-4,
        ),
        Level("different", ELSE, 0.38, 0.9999),
    ),
)
# Address, postcode and city are one comparison: they agree together, and three weights would count this three times.
PLACE = Comparison(
    "place",
    _missing("address", "postcode", "city"),
    (
        Level("address and postcode", "address_sorted_l = address_sorted_r and postcode_l = postcode_r", 0.45, 1e-6),
        Level(
            "address",
            f"address_sorted_l = address_sorted_r or (postcode_l = postcode_r and {_similar('address', 0.88)})",
            0.15,
            2e-6,
        ),
        Level(
            "street",
            f"{_similar('address', 0.92)} or (postcode_l = postcode_r and {_similar('street', 0.88)})",
            0.08,
            2e-5,
        ),
        Level("postcode", "postcode_l = postcode_r", 0.10, 5e-4),
        Level("city", "city_l = city_r", 0.10, 0.01, frequency_of="city"),
        Level("similar city", f"{_one_letter('city')} or {_similar('city', 0.88)}", 0.03, 5e-3),
        Level("different", ELSE, 0.09, 0.984),
    ),
)
GENDER = Comparison(
    "gender", _missing("gender"), (Level("same", "gender_l = gender_r", 0.97, 0.5), Level("different", ELSE, 0.03, 0.5))
)

COMPARISONS = (GIVEN, FAMILY, BIRTH, EMAIL, PHONE, PLACE, GENDER)
