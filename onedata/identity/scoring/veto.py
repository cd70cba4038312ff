"""Veto: two profiles that cannot be one person's however much they share, since people of a household share nearly
everything.

Given name, birth date and gender are personal attributes. A contradiction in one of them is a veto, unless another one
agrees and so shows that the first is a mistake: of two profiles with the same birth date and different given names, one
has a wrong name (or they are twins, an accepted error). An e-mail address is nearly personal: if it is shared, a birth
date alone is no veto.
Conditions read the columns of `prepare`, with `_l` and `_r` for the pair's sides; a missing value contradicts nothing.
"""

from onedata.identity.scoring.comparisons import BIRTH, GIVEN, other_script

_BIRTH_ALIKE = f"coalesce({' or '.join(f'({level.sql})' for level in BIRTH.levels[:3])}, false)"
"""The same day, one digit off, or two of year, month and day."""
_GIVEN_ALIKE = f"""coalesce({" or ".join(f"coalesce({level.sql}, false)" for level in GIVEN.levels[:-1])}
    or list_has_any(string_split(given_l, ' '), string_split(given_r, ' '))
    or (least(length(given_l), length(given_r)) >= 6 and damerau_levenshtein(given_l, given_r) <= 2), false)"""
"""The same, a typing error, a short form, an initial, one name of several, or swapped with the family name."""
_BIRTH_DIFFERS = """(birth_l[1:4] <> birth_r[1:4] and birth_l[5:6] <> birth_r[5:6] and birth_l[7:8] <> birth_r[7:8]
    and birth_turned_l <> birth_r and damerau_levenshtein(birth_l, birth_r) > 2)"""
"""Different year, month and day, and more than two different digits."""

_EMAIL_SHARED = "coalesce(list_has_any(emails_l, emails_r) or mailbox_l = mailbox_r, false)"

VETO = f"""case
    when given_l is not null and given_r is not null and not {other_script("given")} and not {_BIRTH_ALIKE}
        and not {_GIVEN_ALIKE} then 'given name'
    when {_BIRTH_DIFFERS} and not {_GIVEN_ALIKE} and not {_EMAIL_SHARED} then 'birth date'
    when gender_l <> gender_r and not ({_BIRTH_ALIKE} and {_GIVEN_ALIKE}) then 'gender'
end"""
"""SQL of the reason why the pair must not be linked; null if it may be."""
CONFIRMED = f"({_BIRTH_ALIKE} or {_GIVEN_ALIKE})"
"""SQL: a personal attribute agrees, not only what a household shares."""
LINKABLE = f"({CONFIRMED} or {_EMAIL_SHARED})"
"""SQL of the condition for a link: a pair that fails it goes to review at most, whatever its weight, since households
share phone, address and family name."""
