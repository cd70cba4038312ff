"""Landing: one asset a feed, made by a loop over the contracts."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from assets.nights import first_night_of, night_of, nights, nights_again
from assets.resources import Warehouse
from onedata.contracts import Feed
from onedata.contracts.pages import facts
from onedata.landing import land
from onedata.masking import hides_values, mask
from onedata.retailer import Retailer

PREVIEW_FILES = 20
LANDING_GROUP = "a_landing"


def landing_key(feed: Feed) -> dg.AssetKey:
    return dg.AssetKey(["landing", feed.name])


def landing_assets(retailer: Retailer) -> list[dg.AssetsDefinition]:
    """The landing asset of every feed, partitioned by night; a backfill of many nights is one run."""
    return [_landing_asset(retailer, feed) for feed in retailer.feeds]


def _landing_asset(retailer: Retailer, feed: Feed) -> dg.AssetsDefinition:
    @dg.asset(
        key=landing_key(feed),
        group_name=LANDING_GROUP,
        description=_description(feed),
        owners=[f"team:{feed.owner}"],
        kinds={feed.location.format, "parquet"},
        partitions_def=nights(retailer.settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="warehouse",
        required_resource_keys={"warehouse"},
        metadata={
            "contract": dg.MetadataValue.path(str(feed.contract)),
            "contract version": feed.version,
            "purpose": feed.purpose,
            "limitations": feed.limitations or "none known",
            "location": feed.location.path,
            "source system": feed.system,
            "entity": feed.entity.name,
            "quarantine tolerance": feed.tolerance,
            **facts(feed),
            "dagster/column_schema": _columns(feed),
        },
    )
    @hides_values
    def landing(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        warehouse: Warehouse = context.resources.warehouse
        night = night_of(context, warehouse)
        landed = land(warehouse.con, retailer.settings, feed, retailer.policy, night, nights_again(context, warehouse))
        if landed.waiting:
            context.log.warning(f"not whole yet, taken by the next run: {', '.join(landed.waiting)}")
        if landed.files:
            context.log.info(
                f"{landed.received} rows in {landed.files} files = {landed.accepted} accepted + {landed.quarantined} "
                f"quarantined + {landed.duplicate} duplicate"
            )
        first = first_night_of(context, warehouse)
        totals = warehouse.con.execute(
            "select coalesce(sum(accepted), 0)::bigint, count(*), coalesce(sum(received), 0)::bigint, "
            "coalesce(sum(quarantined), 0)::bigint, coalesce(sum(duplicate), 0)::bigint from ops.file where feed = ? "
            "and ds between ? and ?",
            [feed.name, first, night],
        ).fetchone()
        accepted, files, received, quarantined, duplicate = totals or (0, 0, 0, 0, 0)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": accepted,
                "files": files,
                "files new in this run": landed.files,
                "received": received,
                "quarantined": quarantined,
                "duplicate": duplicate,
                "by file": dg.MetadataValue.md(_files_table(warehouse, feed, first, night)),
                "quarantine": dg.MetadataValue.md(_quarantine_table(warehouse, feed, first, night)),
            }
        )

    return landing


def _columns(feed: Feed) -> dg.TableSchema:
    """The columns the feed fills, each with its classification and, where it names a person, the kind of identifier."""
    columns = []
    for item in feed.fields:
        column = item.column
        tags = {"classification": column.classification} | (
            {"identifier": column.identifier.type} if column.identifier else {}
        )
        constraints = dg.TableColumnConstraints(nullable=not item.required)
        columns.append(dg.TableColumn(column.name, column.type, column.description, constraints=constraints, tags=tags))
    return dg.TableSchema(columns)


def _description(feed: Feed) -> str:
    return (
        f"**{feed.title}** ({feed.system}). {feed.description}\n\nGrain: {feed.entity.grain}.\n\n"
        f"Files `{feed.location.path}` ({feed.location.format}) land here typed, counted and with raw identifiers "
        f"replaced by keyed hashes; bad rows go to `ops.quarantine`. Contract: `{feed.contract.name}` {feed.version}."
    )


def _files_table(warehouse: Warehouse, feed: Feed, first: date, last: date) -> str:
    rows = warehouse.con.execute(
        "select path, ds, status, received, accepted, quarantined, duplicate from ops.file where feed = ? "
        "and ds between ? and ? order by ds desc, path limit ?",
        [feed.name, first, last, PREVIEW_FILES],
    ).fetchall()
    return markdown(["file", "night", "status", "received", "accepted", "quarantined", "duplicate"], rows)


def _quarantine_table(warehouse: Warehouse, feed: Feed, first: date, last: date) -> str:
    rows = warehouse.con.execute(
        "select path, rule, count(*), min(row), any_value(reason) from ops.quarantine where feed = ? "
        "and ds between ? and ? group by path, rule order by 3 desc, 1, 2 limit ?",
        [feed.name, first, last, PREVIEW_FILES],
    ).fetchall()
    return markdown(["file", "rule", "rows", "first row", "reason"], rows)


def markdown(header: list[str], rows: Sequence[tuple[object, ...]]) -> str:
    """A Markdown table, 'nothing' where it has no rows; what looks like an e-mail, phone or card in it is masked."""
    if not rows:
        return "nothing"
    lines = [header, ["---"] * len(header), *[[_cell(value) for value in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    return "" if value is None else mask(str(value)).replace("|", "\\|").replace("\n", " ")
