"""Fuzz targets: small feeds of every format with a valid file each, generated from a seed, and small samples of real
files if they are available."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from checkout import REPOSITORY
from fuzz_mutations import mutate

MARK = "Z0000000Z"
"""Begins the ids of rows; each input puts its own number into it, so that its rows can be told from others'."""
ROWS = 8
Contract = dict[str, Any]
Make = Callable[[Random, bytes], bytes]


@dataclass(frozen=True)
class Target:
    """One feed of one contract, valid files of it, and the function that mutates one. `suffix` is the suffix of its
    file names."""

    name: str
    suffix: str
    contract: Contract
    samples: Sequence[bytes]
    make: Make = mutate
    feed: str = ""
    pack: Callable[[bytes], bytes] = bytes
    marks: bool = False
    """Every id that begins with MARK must be found again: in a staged row or in quarantine."""

    @property
    def format(self) -> str:
        return str(self.contract["servers"][0]["format"])


@dataclass
class _Rows:
    """Survey answers and order lines; every id of a row begins with MARK."""

    random: Random
    answers: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        notes = ("fine", "so, so", 'a "word"', "two\nlines", "日本語", "", "  padded ", "=1+1")
        for number in range(ROWS):
            day = f"2026-01-{self.random.randrange(1, 29):02d}T10:00:00Z"
            note = self.random.choice(notes)
            self.answers.append(
                {
                    "id": f"{MARK}{number:02d}",
                    "order": f"O{number}",
                    "score": self.random.randrange(1, 6),
                    "note": note,
                    "answered": day,
                }
            )
            lines = [
                {"sku": f"S{line}", "n": line + 1, "price": f"{self.random.randrange(999)}.50"}
                for line in range(self.random.randrange(1, 4))
            ]
            self.orders.append(
                {
                    "id": f"{MARK}{number:02d}",
                    "at": day,
                    "who": {"mail": f"a{number}@example.org", "tel": "+49 30 1234"},
                    "lines": lines,
                }
            )


ANSWERS = (
    {"name": "response_id", "physicalName": "id"},
    {"name": "order_id", "physicalName": "order"},
    {
        "name": "satisfaction",
        "physicalName": "score",
        "logicalType": "number",
        "logicalTypeOptions": {"minimum": 1, "maximum": 5},
    },
    {"name": "comment", "physicalName": "note"},
    {"name": "answered_at", "physicalName": "answered"},
)
LINES = (
    {"name": "order_id", "physicalName": "id"},
    {"name": "line_id", "transformLogic": "{lines[].sku} || '-' || {lines[].n}"},
    {"name": "line_type", "transformLogic": "'sale'"},
    {"name": "channel", "transformLogic": "'online'"},
    {"name": "product_id", "physicalName": "lines[].sku"},
    {"name": "quantity", "physicalName": "lines[].n"},
    {"name": "unit_price", "physicalName": "lines[].price"},
    {"name": "currency", "transformLogic": "'EUR'"},
    {"name": "sold_at", "physicalName": "at"},
    {"name": "updated_at", "physicalName": "at", "required": True},
)
ORDERS = (
    {"name": "order_id", "physicalName": "id"},
    {"name": "channel", "transformLogic": "'online'"},
    {"name": "total_amount", "physicalName": "lines[0].price"},
    {"name": "currency", "transformLogic": "'EUR'"},
    {"name": "email", "physicalName": "who.mail"},
    {"name": "phone", "physicalName": "who.tel"},
    {"name": "business_date", "transformLogic": "left({at}, 10)"},
    {"name": "ordered_at", "physicalName": "at"},
    {"name": "updated_at", "physicalName": "at", "required": True},
)


def made_targets(seed: int) -> list[Target]:
    """The generated feeds: every format, packed ones, and options that use other code paths of a reader."""
    rows = _Rows(Random(seed))
    table, documents = _csv(rows.answers, ","), _lines(rows.orders)
    wide = b"a report\n" + _csv(rows.answers, ";").decode().encode("cp1252", "replace")
    dialect = {"delimiter": ";", "encoding": "cp1252", "skip": 1, "nullValues": ["-"], "escape": "\\"}
    bare, names = table.partition(b"\n")[2], {"header": False, "columns": list(rows.answers[0])}
    lines = _csv([_flat(order) for order in rows.orders], ",")
    return [
        _target("csv", "csv", [table], marks=True),
        _target("csv_dialect", "csv", [wide], dialect, marks=True),
        _target("csv_no_header", "csv", [bare], names, marks=True),
        _target(
            "csv_content", "csv", [lines], entity="order_line", properties=_content_key(), rowKey="content", marks=True
        ),
        _target("jsonl", "jsonl", [_lines(rows.answers)]),
        _target("jsonl_core", "jsonl", [documents], entity="sales_order", properties=ORDERS),
        _target("jsonl_lines", "jsonl", [documents], entity="order_line", properties=LINES, records="lines"),
        _target(
            "json",
            "json",
            [json.dumps(rows.answers).encode(), json.dumps(rows.answers[:2], indent=1, ensure_ascii=False).encode()],
        ),
        _target(
            "json_inside",
            "json",
            [json.dumps({"page": 1, "data": {"orders": rows.orders}}).encode()],
            {"documents": "data.orders"},
            entity="order_line",
            properties=LINES,
            records="lines",
        ),
        _target(
            "parquet", "parquet", [_parquet(rows.answers), _parquet(rows.answers, typed=True)], make=_mutate_parquet
        ),
        _target("xlsx", "xlsx", [_xlsx(rows.answers)], make=_mutate_xlsx),
        _target("xml", "xml", [_xml(rows.answers)], {"recordTag": "Answer"}),
        _target(
            "xml_lines",
            "xml",
            [_xml_orders(rows.orders)],
            {"recordTag": "Order"},
            entity="order_line",
            properties=_xml_lines(),
            records="Line[Sku]",
        ),
        _target("csv_gz", "csv.gz", [table], kind="csv", pack=gzip.compress),
        _target("jsonl_zip", "zip", [_lines(rows.answers)], kind="jsonl", pack=_zip),
    ]


def real_targets(shared: Path) -> list[Target]:
    """Feeds of the shipped and example contracts with slices of the real files in `shared`, as far as these exist."""
    found = []
    for folder, pattern, contract, suffix in (
        ("olist_sample", "olist_orders_dataset.csv", "examples/olist_sample/contracts/olist_orders.odcs.yaml", "csv"),
        (
            "olist_sample",
            "olist_order_reviews_dataset.csv",
            "examples/olist_sample/contracts/olist_reviews.odcs.yaml",
            "csv",
        ),
        (
            "online_retail",
            "by-day/2010-12-0[1-3].csv",
            "examples/online_retail/contracts/online_retail_lines.odcs.yaml",
            "csv",
        ),
        ("poslog", "till_small.xml", "data_contracts/pos_transactions.odcs.yaml", "xml"),
        ("epcis", "*.jsonld", "data_contracts/logistics_epcis.odcs.yaml", "jsonld"),
    ):
        samples = [
            _head(file.read_bytes()) if suffix == "csv" else file.read_bytes()
            for file in sorted((shared / folder).glob(pattern))
        ]
        if samples:
            found += _of_contract(REPOSITORY / contract, suffix, samples)
    orders = [file.read_bytes() for file in sorted((shared / "shopify").glob("*order*.json"))]
    if orders:
        properties = [
            {"name": "response_id", "physicalName": "id"},
            {"name": "order_id", "physicalName": "name"},
            {"name": "comment", "physicalName": "line_items[0].title"},
            {"name": "satisfaction", "physicalName": "total_weight"},
            {"name": "answered_at", "physicalName": "created_at"},
        ]
        found.append(_target("shopify", "json", orders, {"documents": "orders"}, properties=properties))
    return found


def _of_contract(contract: Path, suffix: str, samples: Sequence[bytes]) -> list[Target]:
    content = yaml.safe_load(contract.read_text(encoding="utf-8"))
    server, name = content["servers"][0], str(content["id"])
    server["path"] = f"{name}/{{ds}}_*.{suffix}"
    if suffix == "jsonld":
        server["format"] = "json"
    return [Target(f"{name}:{item['name']}", suffix, content, samples, feed=item["name"]) for item in content["schema"]]


def _target(
    name: str,
    suffix: str,
    samples: Sequence[bytes],
    options: Mapping[str, Any] | None = None,
    *,
    kind: str | None = None,
    entity: str = "survey_response",
    properties: Sequence[Mapping[str, Any]] = ANSWERS,
    make: Make = mutate,
    pack: Callable[[bytes], bytes] = bytes,
    marks: bool = False,
    **feed: Any,
) -> Target:
    custom = [
        {"property": key, "value": value}
        for key, value in {"entity": entity, "quarantineTolerance": 0.5, **feed}.items()
    ]
    reader = [{"property": key, "value": value} for key, value in (options or {}).items()]
    server = {
        "server": "landing",
        "type": "local",
        "path": f"{name}/{{ds}}_*.{suffix}",
        "format": kind or suffix,
        "customProperties": reader,
    }
    contract = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": name,
        "version": "1.0.0",
        "status": "active",
        "dataProduct": "desk",
        "description": {"purpose": f"Mutated files of {name}."},
        "servers": [server],
        "schema": [{"name": name, "customProperties": custom, "properties": [dict(item) for item in properties]}],
    }
    return Target(name, suffix, contract, samples, make if pack is bytes else _packed(pack), name, pack, marks)


def _content_key() -> list[dict[str, Any]]:
    values = {
        "order_id": "{id}",
        "line_type": "'sale'",
        "channel": "'store'",
        "currency": "'EUR'",
        "updated_at": "{at}",
        "line_id": "{row_identity}",
    }
    logic = [{"name": name, "transformLogic": text} for name, text in values.items()]
    return [
        *logic,
        *[
            {"name": name, "physicalName": source}
            for name, source in (("product_id", "sku"), ("quantity", "n"), ("unit_price", "price"))
        ],
    ]


def _flat(order: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": order["id"], "at": order["at"], **order["lines"][0]}


def _xml_lines() -> list[dict[str, Any]]:
    paths = {"lines[].sku": "Line/Sku", "lines[].n": "Line/@n", "lines[].price": "Line/Price", "id": "@id", "at": "At"}
    text = json.dumps(LINES)
    for old, new in sorted(paths.items(), reverse=True):
        text = text.replace(f'"physicalName": "{old}"', f'"physicalName": "{new}"').replace(f"{{{old}}}", f"{{{new}}}")
    return list(json.loads(text))


def _csv(rows: Sequence[Mapping[str, Any]], delimiter: str) -> bytes:
    def cell(value: Any) -> str:
        text = str(value)
        return '"' + text.replace('"', '""') + '"' if set(text) & {'"', "\n", delimiter} else text

    return "".join(
        delimiter.join(cells) + "\n"
        for cells in [list(rows[0]), *[[cell(value) for value in row.values()] for row in rows]]
    ).encode()


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _parquet(rows: Sequence[Mapping[str, Any]], typed: bool = False, compression: str = "snappy") -> bytes:
    stream = io.BytesIO()
    columns = {
        name: pa.array([row[name] if typed and name == "score" else str(row[name]) for row in rows]) for name in rows[0]
    }
    pq.write_table(pa.table(columns), stream, compression=compression)
    return stream.getvalue()


def _xlsx(rows: Sequence[Mapping[str, Any]]) -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for row in [list(rows[0]), *[list(row.values()) for row in rows]]:
        sheet.append(row)
    book.save(stream)
    return stream.getvalue()


def _xml(rows: Sequence[Mapping[str, Any]]) -> bytes:
    cells = ["".join(f"<{name}>{_escaped(value)}</{name}>" for name, value in row.items()) for row in rows]
    return (
        "<?xml version='1.0' encoding='utf-8'?>\n<Answers>\n"
        + "".join(f"<Answer>{cell}</Answer>\n" for cell in cells)
        + "</Answers>\n"
    ).encode()


def _xml_orders(orders: Sequence[Mapping[str, Any]]) -> bytes:
    def lines(order: Mapping[str, Any]) -> str:
        return "".join(
            f'<Line n="{line["n"]}"><Sku>{line["sku"]}</Sku><Price>{line["price"]}</Price></Line>'
            for line in order["lines"]
        )

    records = [f'<v:Order id="{order["id"]}"><At>{order["at"]}</At>{lines(order)}</v:Order>\n' for order in orders]
    return ('<Orders xmlns:v="urn:v">\n' + "".join(records) + "</Orders>\n").encode()


def _escaped(value: Any) -> str:
    return str(value).replace("&", "&amp;").replace("<", "&lt;")


def _head(content: bytes) -> bytes:
    """The first lines of a CSV."""
    return b"".join(content.splitlines(keepends=True)[: ROWS + 1])


def _zip(content: bytes, name: str = "a.jsonl") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _packed(pack: Callable[[bytes], bytes]) -> Make:
    """The mutated content, or the mutated packed bytes."""

    def make(random: Random, content: bytes) -> bytes:
        return pack(mutate(random, content)) if random.randrange(2) else mutate(random, pack(content), binary=True)

    return make


def _mutate_parquet(random: Random, content: bytes) -> bytes:
    """Mutated bytes of the file, or a valid file of other types."""
    if random.randrange(4):
        return mutate(random, content, binary=True)
    table = pq.read_table(io.BytesIO(content))
    name = random.choice(table.column_names)
    others = (
        *(pa.array([value] * len(table)) for value in (None, 1.5, b"\xff\x00", [1, 2], {"a": 1}, True)),
        pa.array([2**63] * len(table), pa.uint64()),
        pa.array([10**37] * len(table), pa.decimal128(38, 0)),
        pa.array([2**62] * len(table), pa.timestamp("ns")),
    )
    other = random.choice(others)
    table = random.choice(
        (
            table.set_column(table.column_names.index(name), name, other),
            table.append_column("more", other),
            table.drop_columns([name]),
            table.append_column(name.upper(), other),
            table.select(random.sample(table.column_names, len(table.column_names))),
            table.slice(0, 0),
        )
    )
    stream = io.BytesIO()
    pq.write_table(table, stream, compression=random.choice(("snappy", "gzip", "zstd", "none")))
    return stream.getvalue()


def _mutate_xlsx(random: Random, content: bytes) -> bytes:
    """Mutated bytes of the file, or of one part of the workbook."""
    if not random.randrange(3):
        return mutate(random, content, binary=True)
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as book, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as mutated:
        names = book.namelist()
        chosen = random.choice(
            [
                *names,
                *["xl/worksheets/sheet1.xml"] * 10,
                *[name for name in names if name.endswith("sharedStrings.xml")] * 3,
            ]
        )
        for name in names:
            part = book.read(name)
            mutated.writestr(name, mutate(random, part) if name == chosen else part)
    return stream.getvalue()
