"""SQL of the digits of numbers in typed files."""

WHOLE_IN_DOUBLE = 2**53
"""From here on a double no longer holds every whole number."""


def text_from_number(value: str, kind: str) -> str:
    """The digits of a number that names something: no '.0', no exponent. NULL for a number so large that its type no
    longer tells it from its neighbours, and for one with a fraction that its digits would not show."""
    if kind in ("DOUBLE", "FLOAT"):
        most = WHOLE_IN_DOUBLE if kind == "DOUBLE" else 2**24
        whole = f"{value}::double = trunc({value}::double)"
        return (
            f"case when not isfinite({value}) or abs({value}) > {most} then null "
            f"when {whole} then {value}::bigint::varchar "
            f"when not contains({value}::varchar, 'e') then {value}::varchar end"
        )
    if kind.startswith("DECIMAL") and not kind.endswith(",0)"):
        return (
            f"case when {value} = trunc({value}) then trunc({value})::decimal(38,0)::varchar else {value}::varchar end"
        )
    return f"{value}::varchar"
