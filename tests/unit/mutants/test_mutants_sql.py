"""What the mutants of the models' SQL change, and what they leave unchanged."""

from mutants_sql_project import PROJECT, listed, read_project
from mutants_sql_sites import changed, changes, holds, marked, spans, unmarked


def told(text: str) -> list[str]:
    return [change.told for change in changes(text)]


def test_one_operator_at_a_time() -> None:
    assert told("a <= b and not c") == ["<= -> <", "and -> or", "not -> (nothing)"]
    assert told("a - b * 2") == ["- -> +", "* -> /", "2 -> 1", "2 -> 3"]
    assert told("sum(a) filter (where b is null)") == ["sum -> max", "is -> is not"]
    assert told("left join b on a.x = b.x") == ["left -> inner", "= -> <>"]
    assert told("order by a desc nulls last, b asc") == ["desc -> asc", "last -> first", "asc -> desc"]
    assert told("where a in (select b) or a not in (select c)") == ["in -> not in", "or -> and", "not -> (nothing)"]
    assert told("coalesce(a, f(b, c), d)") == ["a, -> (nothing)", ", d -> (nothing)"]
    assert told("count(a) > 0") == ["a -> *", "> -> >=", "0 -> -1", "0 -> 1"]


def test_comments_texts_types_and_names_stay() -> None:
    assert told("select *, a.last, 'x = 1' from a -- where a = 1") == []
    assert told("count(*)") == []
    assert told("cast(a as decimal(18, 4)) as order_count_2") == []
    assert told("{# a = b #}{% if a and b %}{% endif %}{{ ref('a_and b = 1') }}{{ config(a=1) }}") == []


def test_sql_that_is_handed_to_a_macro_is_changed() -> None:
    assert told("{{ sum_money('a', 'b and not c') }}") == ["and -> or", "not -> (nothing)"]
    assert told("""{{ sum_money('a', "channel = '" ~ channel ~ "'") }}""") == ["= -> <>"]
    assert told("{{ date_series('1990-01-01', '2050-12-31') }}") == []


def test_a_change_is_made_wherever_the_place_comes_to_stand() -> None:
    text = "coalesce(a > 1, false)"
    found = changes(text)
    places = spans(found)
    # What a macro makes of the text stands in the SQL twice.
    sql = "select " + marked(text, places, 7) + " or " + marked(text, places, 7)
    assert unmarked(sql) == f"select {text} or {text}"

    def after(change_told: str) -> str:
        change = next(change for change in found if change.told == change_told)
        number = 7 + places.index((change.start, change.end))
        assert holds(sql, number)
        return " ".join(changed(sql, number, change.becomes).split())

    assert after("> -> >=") == "select coalesce(a >= 1, false) or coalesce(a >= 1, false)"
    assert after(", false -> (nothing)") == "select coalesce(a > 1 ) or coalesce(a > 1 )"
    assert after("a > 1, -> (nothing)") == "select coalesce( false) or coalesce( false)"
    assert not holds(sql, 7 + len(places))


def test_every_change_that_is_listed_as_equivalent_is_there() -> None:
    project = read_project(PROJECT)
    reasons = listed(project)
    assert len(project.mutants) > 800
    assert reasons and all(reason.strip() for reason in reasons.values())
    assert set(reasons) <= {mutant.key for mutant in project.mutants}
