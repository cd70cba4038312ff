"""Normalisers: SQL that converts equal identifiers and profiles to equal text before hashing. Pure; phone numbers are
in `phone`.

Each returns NULL if the value cannot be valid, and is idempotent.
"""

from collections.abc import Callable, Mapping

from onedata.normalise.letters import filled, fold_sql, let, squeezed
from onedata.normalise.phone import phone_sql
from onedata.sql import quote_text

NORMALISERS = ("id", "email", "phone", "name", "address")
VERSION = 2
"""To be raised with every change of a normaliser that gives a value another normal form: tokens of another version are
not mixed (landing.vault)."""

_PLAIN_FROM, _PLAIN_TO = "øđłħŧıŋØĐŁĦŦŊ", "odlhtinodlhtn"
_LONG = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
_EAST = r"\p{Han}\p{Hangul}"

_TITLES = (
    "mr|mrs|ms|miss|mx|sir|dame|lady|rev|dr|prof|professor|doctor|herrn?|frau|fraulein|hr|fr|dipl-ing|dr-ing|ing|mag|"
    "med|monsieur|madame|mademoiselle|mme|mlle|senora?|senorita|sra?|srta|dona?|sig|signora?|dhr|mevr|pan|pani"
)
_SUFFIXES = "jr|sr|ii|iii|iv|phd|md|dds|mba|msc|bsc|esq|cpa|ph d|m d|junior|senior"
_LEADING, _TRAILING = f"'^(({_TITLES})[ ,·-]+)+'", f"'([ ,·-]+({_SUFFIXES}))+$'"
_HAN_TITLES = "先生|女士|小姐|太太|夫人|老师|老師|同志|博士|教授|医生|醫生|师傅|師傅|女仕|阁下"
_COMPOUND_FAMILIES = (
    "欧阳|歐陽|司马|司馬|上官|诸葛|諸葛|东方|東方|皇甫|尉迟|尉遲|公孙|公孫|慕容|令狐|司徒|司空|夏侯|南宫|南宮|长孙|長孫|宇文|轩辕|軒轅|端木|百里|呼延|东郭|東郭|西门|西門|"
    "独孤|獨孤|拓跋|申屠|太史|澹台|澹臺|公羊|公冶|赫连|赫連|濮阳|濮陽|钟离|鍾離|淳于|单于|單于|闻人|聞人|第五|宗政|万俟|鲜于|鮮于|闾丘|亓官|仲孙|仲孫|乐正|漆雕|"
    "남궁|황보|제갈|선우|독고|사공"
)
_PARTICLES = (
    "van|von|vom|der|den|de|del|della|dello|di|da|dos|das|do|du|des|la|le|ter|ten|te|zu|zum|zur|bin|ibn|bint|af|av|"
    "mac|mc"
)

_STREET_WORDS: Mapping[str, str] = {
    "street": "st", "road": "rd", "avenue": "ave", "av": "ave", "avenida": "ave", "avda": "ave", "boulevard": "blvd",
    "bd": "blvd", "bvd": "blvd",
    "drive": "dr", "lane": "ln", "court": "ct", "square": "sq", "place": "pl", "platz": "pl", "terrace": "ter",
    "crescent": "cres", "highway": "hwy",
    "parkway": "pkwy", "close": "cl", "gardens": "gdns", "apartment": "apt", "suite": "ste", "floor": "fl",
    "building": "bldg", "room": "rm",
    "north": "n", "south": "s", "east": "e", "west": "w", "saint": "st", "sankt": "st",
}  # fmt: skip
_NUMBER_WORDS = ("no", "nr", "number", "nummer", "numero")
_TRADITIONAL, _SIMPLIFIED = "號樓棟單區縣鎮鄉門層", "号楼栋单区县镇乡门层"


def normalised_sql(normaliser: str | None, value: str, region: str) -> str:
    """SQL of the normal form of a text.

    Args:
        normaliser: One of `NORMALISERS`; None for text of unknown kind, where only case and blanks are normalised.
        value: SQL of the text.
        region: ISO 3166 code of the country of phone numbers without a country code.
    """
    if normaliser == "phone":
        return phone_sql(value, region)
    builders: Mapping[str | None, Callable[[str], str]] = {
        "id": id_sql,
        "email": email_sql,
        "name": name_sql,
        "address": address_sql,
    }
    return builders.get(normaliser, _text_sql)(value)


def id_sql(value: str) -> str:
    """SQL: an id unchanged, without surrounding blanks: ids of many systems differ only in case."""
    return filled(f"trim({value})")


def _text_sql(value: str) -> str:
    return filled(squeezed(f"lower({value})"))


def email_sql(value: str) -> str:
    """SQL: an address in lower case and, where possible, ASCII; NULL if it does not have the form of an address.

    Dots and +tags are kept: only some providers ignore them, and a deliberate use means two addresses.
    """
    return let(
        f"trim(replace({fold_sql(value)}, '。', '.'))",
        "m",
        r"case when regexp_full_match(m, '[^@\s]+@[^@\s.]+(\.[^@\s.]+)+') then m end",
    )


def name_sql(value: str) -> str:
    """SQL: a person's name for comparison: given name first in Latin script, family name first in Chinese (and Korean),
    as each is written.

    Case, accents, titles, suffixes and text in brackets are removed; `Li, Ann` becomes `ann li`; Chinese names lose
    blanks and 先生. Not normalised: traditional and simplified characters, Müller and Mueller, the order of East Asian
    names in Latin letters.
    """
    text = _plain(value, "•‧・｡’ʼ´", "···.'''")
    text = f"regexp_replace(replace(replace({text}, '''', ''), '.', ' '), '\\([^)]*\\)', ' ', 'g')"
    text = squeezed(rf"regexp_replace({text}, '[^\p{{L}}\p{{M}}·, -]', ' ', 'g')")
    text = rf"trim(regexp_replace({text}, ' *([,·-])[ ,·-]*', '\1', 'g'), ' ,-·')"
    bare = f"regexp_replace(regexp_replace({text}, {_LEADING}, ''), {_TRAILING}, '')"
    turned = "replace(regexp_replace(b, '^([^,]+),([^,]+)$', '\\2 \\1'), ',', ' ')"
    western = f"regexp_replace(regexp_replace({turned}, {_LEADING}, ''), {_TRAILING}, '')"
    name = let(
        bare, "b", f"case when regexp_full_match(b, '[{_EAST}·, ]+') then replace(b, ',', '') else {western} end"
    )
    eastern = f"regexp_replace(replace(n, ' ', ''), '^(.+?)(·?({_HAN_TITLES}))+$', '\\1')"
    return filled(let(name, "n", f"case when regexp_full_match(n, '[{_EAST}· ]+') then {eastern} else n end"))


def family_sql(name: str) -> str:
    """SQL: the family name in a result of `name_sql`; a single word is returned unchanged."""
    compound = let(f"regexp_extract(n, '^({_COMPOUND_FAMILIES}).', 1)", "c", "case when c = '' then n[1] else c end")
    eastern = f"case when contains(n, '·') then split_part(n, '·', -1) else {compound} end"
    western = f"regexp_extract(n, '(?:^| )((?:(?:{_PARTICLES}) )*[^ ]+)$', 1)"
    return let(name, "n", f"case when {_is_eastern('n')} then {eastern} else {western} end")


def given_sql(name: str) -> str:
    """SQL: the given names in a result of `name_sql`, without middle initials, hyphens as blanks; NULL if there are
    none."""
    rest = f"case when contains(n, '·') then split_part(n, '·', 1) when {_is_eastern('n')} then n[length(family) + 1:] "
    rest += "else replace(trim(n[:length(n) - length(family)]), '-', ' ') end"
    rest = let(family_sql("n"), "family", rest)
    return filled(let(name, "n", f"regexp_replace({rest}, '( [a-z])+$', '')"))


def _is_eastern(name: str) -> str:
    return f"regexp_full_match({name}, '[{_EAST}·]+')"


def address_sql(value: str) -> str:
    """SQL: a street address for comparison: normalises case, accents, punctuation, abbreviations of English, German and
    Romance streets; keeps 号, 弄 and 室.

    `Hauptstr. 5`, `HAUPTSTRASSE 5` and `Hauptstraße Nr. 5` are equal. In Chinese, blanks are ignored.
    """
    text = squeezed(
        rf"regexp_replace({_plain(value, _TRADITIONAL, _SIMPLIFIED)}, '[^\p{{L}}\p{{M}}\p{{N}}/ -]', ' ', 'g')"
    )
    text = rf"trim(regexp_replace({text}, '[ /-]*([/-])[ /-]*', '\1', 'g'), ' /-')"
    short = " ".join(
        f"when {quote_text(word)} then {quote_text(abbreviation)}" for word, abbreviation in _STREET_WORDS.items()
    )
    words = f"list_filter(string_split({text}, ' '), lambda w: w not in ({', '.join(map(quote_text, _NUMBER_WORDS))}))"
    words = f"list_transform({words}, lambda w: case w {short} else regexp_replace(w, '(strasse|straat)$', 'str') end)"
    return filled(rf"regexp_replace(array_to_string({words}, ' '), ' ?([{_EAST}]) ?', '\1', 'g')")


def _plain(value: str, more: str, to: str) -> str:
    """SQL: folded, without accents and language-specific letters; letters of `more` are replaced by those of `to`."""
    text = f"translate(p, {quote_text(more + _PLAIN_FROM)}, {quote_text(to + _PLAIN_TO)})"
    for letter, letters in _LONG.items():
        text = f"replace({text}, {quote_text(letter)}, {quote_text(letters)})"
    return let(f"strip_accents({fold_sql(value)})", "p", f"case when strlen(p) = length(p) then p else {text} end")
