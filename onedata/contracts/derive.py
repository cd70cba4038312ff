"""Files derived from the canonical entities: the ODS views of the dbt project, and the empty files that give the lake
its schema.

Run by `onedata derive`; a test checks that the committed files are current.
"""

import io
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import yaml

from onedata.contracts.derived import MARK, write_files
from onedata.contracts.identifiers import (
    IdentifierPolicy,
    blocked_values,
    generally_usable,
    usable_by_kind,
    usable_of_kind,
)
from onedata.contracts.mistakes import known
from onedata.contracts.model import Column, Entity
from onedata.durable import make_folders, write_durably

LINEAGE: Mapping[str, tuple[str, str]] = {
    "source_system": ("varchar", "Source system; ids are unique only within it."),
    "_feed": ("varchar", "Feed (contract object) the row came by."),
    "_file": ("varchar", "File the row came in, below the source folder."),
    "_edition": (
        "bigint",
        "Number of the file's content among those that came under its name; a later one corrects the earlier.",
    ),
    "_row": ("bigint", "Number of the record in its file."),
    "_arrived_at": ("timestamp", "When the row landed (UTC, the machine's clock)."),
    "_batch": ("varchar", "Delivery of the ledger (ops.delivery) the row belongs to."),
    "_mapped": (
        "varchar",
        "Canonical columns that the feed's contract maps, comma between: an empty value of one of them is a statement, "
        "of another none.",
    ),
    "_priority": ("bigint", "Priority of the feed among those of its entity and source system; empty for 0."),
    "_repaired": (
        "varchar",
        "What landing mended in the row, as column:repair, comma between; empty for the usual row.",
    ),
    "_extra": ("varchar", "Source fields the contract does not know, as a JSON object; empty for the usual row."),
}
DS = ("date", "The night the row's file is for; partition of the lake.")
IDENTITY_KEY = (
    "The identifier that stands for the person of this row, strongest kind first; empty where the row names nobody."
)
USABLE = "macros/usable.sql"
ENTITIES = "macros/entities.sql"
EVERY_KIND = "every kind"
SCHEMA_PARTITION = "source=_schema/ds=1970-01-01"


def derived_files(entities: Mapping[str, Entity], policy: IdentifierPolicy) -> dict[str, str]:
    """File name (below dbt_project) to content: the ODS views and the macros that know entities and identifiers."""
    files = {USABLE: _usable_macro(entities, policy), ENTITIES: _entities_macros(entities, policy)}
    for entity in entities.values():
        files[f"models/ods/ods_{entity.name}.sql"] = _model_sql(entity, policy)
        files[f"models/ods/ods_{entity.name}.yml"] = _model_yaml(entity, policy)
    return files


def usable_in_models(entities: Mapping[str, Entity], policy: IdentifierPolicy) -> dict[str, list[str]]:
    """The conditions of a usable identifier: those of every kind (EVERY_KIND), and those of each kind that ODS views
    check. Landing checks the other kinds, whose values are tokens here; a blocked value of theirs may be somebody's
    number and must not reach dbt's files."""
    checked = {
        column.identifier.type
        for entity in entities.values()
        for column in entity.identifiers
        if column.identifier and column.classification != "core"
    }
    kinds = {name: usable_of_kind("{value}", kind) for name, kind in policy.types.items() if name in checked}
    return {EVERY_KIND: generally_usable("{value}", blocked_values(policy)), **kinds}


def _usable_macro(entities: Mapping[str, Entity], policy: IdentifierPolicy) -> str:
    """The macro with which ODS views decide whether an identifier is usable: by the shipped policy, or by the
    retailer's, which a run passes as ONEDATA_USABLE."""
    kinds = ",\n    ".join(
        f"{json.dumps(name)}: [{', '.join(map(_in_jinja, conditions))}]"
        for name, conditions in usable_in_models(entities, policy).items()
    )
    return (
        f"{{#- Derived from data_contracts/identifiers.yaml {MARK} -#}}\n"
        "{%- macro usable(value, kind) -%}\n"
        f"{{%- set shipped = {{\n    {kinds}\n}} -%}}\n"
        "{%- set own = env_var('ONEDATA_USABLE', '') -%}\n"
        "{%- if env_var('ONEDATA_IDENTIFIERS', 'unknown') and not own -%}\n"
        "{{ exceptions.raise_compiler_error('run the models by onedata, which passes the identifier policy') }}\n"
        "{%- endif -%}\n"
        "{%- set policy = fromjson(own) if own else shipped -%}\n"
        f"{{{{ (policy['{EVERY_KIND}'] + policy[kind]) | join(' and ') | replace('{{value}}', value) }}}}\n"
        "{%- endmacro %}\n"
    )


def _entities_macros(entities: Mapping[str, Entity], policy: IdentifierPolicy) -> str:
    """The macros of each entity's columns with their types, and of the identifier that stands for a row's person.

    DIM and DWD are built with them: they leave out what a retailer added to a shipped entity, so that its name can hide
    nothing there and its values decide nothing."""
    columns = ",\n    ".join(
        f"{json.dumps(entity.name)}: {{\n        "
        + ",\n        ".join(
            f"{json.dumps(column.name)}: {json.dumps(column.sql_type)}" for column in entity.shipped.columns
        )
        + "\n    }"
        for entity in entities.values()
    )
    names = ",\n    ".join(map(json.dumps, _identity_key_of(entities, policy)))
    keys = "".join(
        f"{{%- {'if' if number == 0 else 'elif'} entity == {json.dumps(name)} -%}}\n{sql}\n"
        for number, (name, sql) in enumerate(_identity_key_of(entities, policy).items())
    )
    return (
        f"{{#- Derived from data_contracts/canonical {MARK} -#}}\n\n"
        "{#- Column to type, of a canonical entity. -#}\n"
        f"{{%- macro entity_columns(entity) -%}}\n{{%- set columns = {{\n    {columns}\n}} -%}}\n"
        "{{ return(columns[entity]) }}\n{%- endmacro -%}\n\n"
        "{#- Whether rows of a canonical entity name persons. -#}\n"
        "{%- macro names_persons(entity) -%}\n"
        f"{{{{ return(entity in [\n    {names}\n]) }}}}\n{{%- endmacro -%}}\n\n"
        f"{{#- {chr(10).join(textwrap.wrap(IDENTITY_KEY, 110))} -#}}\n"
        f"{{%- macro identity_key(entity) -%}}\n{keys}{{%- endif -%}}\n{{%- endmacro %}}\n"
    )


def _identity_key_of(entities: Mapping[str, Entity], policy: IdentifierPolicy) -> dict[str, str]:
    """Entity to the SQL of the identifier that stands for a row's person, of the entities that name persons."""
    found = {}
    for entity in entities.values():
        keys = [sql for _, sql in identity_keys(entity.shipped, policy, in_model=True)]
        if keys:
            inner = ",\n        ".join(keys)
            found[entity.name] = f"coalesce(\n        {inner}\n    )" if len(keys) > 1 else keys[0]
    return found


def _in_jinja(sql: str) -> str:
    """The text as a literal of Jinja, in lines."""
    lines = textwrap.wrap(
        sql, 88, replace_whitespace=False, drop_whitespace=False, break_long_words=False, break_on_hyphens=False
    )
    return "\n        ~ ".join(map(json.dumps, lines))


def write_derived(dbt_project: Path, entities: Mapping[str, Entity], policy: IdentifierPolicy) -> list[Path]:
    """Write the derived files and remove those of deleted entities; returns the changes.

    Raises:
        ContractError: the path of a derived file is taken by a file that is not derived; nothing was changed.
    """
    models = dbt_project / "models" / "ods"
    models.mkdir(parents=True, exist_ok=True)
    wanted = {dbt_project / name: content for name, content in derived_files(entities, policy).items()}
    return write_files(wanted, models.glob("ods_*"))


def ensure_lake(con: duckdb.DuckDBPyConnection, lake: Path, entities: Mapping[str, Entity]) -> None:
    """Write one empty Parquet file per entity, so that every ODS view has its columns before the first row arrives;
    files that differ are replaced."""
    for entity in entities.values():
        file = schema_file(lake, entity)
        columns = ", ".join(f"null::{kind} as {name}" for name, kind in lake_columns(entity).items())
        shape = con.execute(f"select {columns} limit 0").to_arrow_table()
        # Compare the bytes: Arrow may read a damaged file that DuckDB cannot.
        content = io.BytesIO()
        pq.write_table(shape, content)
        if not file.exists() or file.read_bytes() != content.getvalue():
            # The folders of the entity's first rows are created here: their names must be durable before the rows are.
            make_folders(file.parent)
            write_durably(file, content.getvalue())


def schema_file(lake: Path, entity: Entity) -> Path:
    """An empty file with every column of the entity's ODS files."""
    return lake / "ods" / entity.name / SCHEMA_PARTITION / "empty.parquet"


def lake_columns(entity: Entity) -> dict[str, str]:
    """Name to SQL type of an ODS file's columns (`ds` and `source` are its folders)."""
    return {column.name: column.sql_type for column in entity.columns} | {
        name: kind for name, (kind, _) in LINEAGE.items()
    }


def identity_keys(entity: Entity, policy: IdentifierPolicy, in_model: bool = False) -> list[tuple[Column, str]]:
    """The entity's identifiers, strong and weak, strongest first, each with the SQL of its key (NULL if the row has no
    usable one).

    Args:
        in_model: Whether the SQL is for a dbt model, which calls a macro to decide whether a value is usable.

    Raises:
        ContractError: a column is an identifier of a type unknown to the policy.
    """
    order = list(policy.types)
    for column in entity.identifiers:
        where = f"{column.place}: identifier: type"
        known([column.identifier.type] if column.identifier else [], order, where)
    ordered = sorted(
        entity.identifiers, key=lambda column: order.index(column.identifier.type) if column.identifier else 0
    )
    return [(column, _identity_key(column, policy, in_model)) for column in ordered]


def _identity_key(column: Column, policy: IdentifierPolicy, in_model: bool) -> str:
    assert column.identifier is not None
    scope = "source_system || ':' || " if column.identifier.scope == "system" else ""
    key = f"'{column.identifier.type}:' || {scope}{column.name}"
    if column.classification == "core":  # landing checked the value before it replaced it by the token
        return key
    line = "\n            "
    kind = column.identifier.type
    usable = (
        f"{{{{ usable('{column.name}', '{kind}') }}}}"
        if in_model
        else usable_by_kind(policy)[kind].replace("{value}", column.name)
    )
    return f"case{line}when {usable}{line}then {key}\n        end"


def _header(entity: Entity) -> str:
    file = "a retailer's own file" if entity.own else f"data_contracts/canonical/{entity.name}.yaml"
    more = " and a retailer's own columns" if entity.own_columns and not entity.own else ""
    return f"Derived from {file}{more} {MARK}"


def _model_sql(entity: Entity, policy: IdentifierPolicy) -> str:
    # A file written before a change of type still has the old one. Text represents every other type, so it needs no
    # cast.
    lines = [
        column.name if column.type == "text" else f"cast({column.name} as {column.sql_type}) as {column.name}"
        for column in entity.columns
    ]
    if identity_keys(entity.shipped, policy):
        lines.append(f"{{{{ identity_key('{entity.name}') }}}} as identity_key")
    # Rows that landed before editions were numbered are of the first.
    lines += ["coalesce(_edition, 1) as _edition" if name == "_edition" else name for name in LINEAGE] + ["ds"]
    body = ",\n    ".join(lines)
    return (
        f"-- {_header(entity)}\n"
        f"with delivered as (\n    select * from {{{{ lake('{entity.name}') }}}}\n)\n\nselect\n    {body}\nfrom "
        "delivered\n"
    )


def _model_yaml(entity: Entity, policy: IdentifierPolicy) -> str:
    columns = [
        {
            "name": column.name,
            "description": column.description,
            "config": {"meta": {"classification": column.classification}},
        }
        for column in entity.columns
    ]
    if identity_keys(entity.shipped, policy):
        columns.append(
            {"name": "identity_key", "description": IDENTITY_KEY, "config": {"meta": {"classification": "sensitive"}}}
        )
    columns += [{"name": name, "description": text} for name, (_, text) in LINEAGE.items()]
    columns.append({"name": "ds", "description": DS[1]})
    required = [
        {"name": f"{column.name}_required", "metric": "nullValues", "column": column.name, "mustBe": 0}
        for column in entity.columns
        if column.required
    ]
    meta = {
        "owner": entity.owner,
        "grain": entity.grain,
        "key": ["source_system", *entity.key],
        "published": False,
        "quality": required,
    }
    model = {
        "name": f"ods_{entity.name}",
        "description": f"{entity.title}, as delivered, typed and accepted. Grain: {entity.grain}. Raw identifiers are "
        "keyed hashes.",
        "config": {"meta": meta},
        "columns": columns,
    }
    text = yaml.safe_dump({"version": 2, "models": [model]}, sort_keys=False, allow_unicode=True, width=100)
    return f"# {_header(entity)}\n{text}"
