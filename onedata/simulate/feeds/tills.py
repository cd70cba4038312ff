"""The tills: IXRetail POSLog from China, one file a store, with a vendor's namespace beside it; flat CSV from
Europe."""

from __future__ import annotations

import polars as pl

from onedata.simulate.calendar import MARKETS, SECOND, Night
from onedata.simulate.catalogue import TENDERS
from onedata.simulate.defects import Target
from onedata.simulate.feeds.base import POSLOG, FeedFiles, owned
from onedata.simulate.state import State
from onedata.simulate.text import clock, comma, csv_plain, csv_text, money, xml_text
from onedata.simulate.tills import CANCELLED_FLAG, CONTROL, RETURN, SUSPENDED_FLAG, TRAINING

_FLAGS = {
    TRAINING: ' TrainingModeFlag="true"',
    CANCELLED_FLAG: ' CancelFlag="true"',
    SUSPENDED_FLAG: ' SuspendFlag="true"',
}
_STATUS = {TRAINING: "TRAINING", CANCELLED_FLAG: "CANCELLED", SUSPENDED_FLAG: "SUSPENDED"}
_SCAN = 120 * SECOND


def _tag(name: str, value: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit(f"<{name}>"), value.cast(pl.String), pl.lit(f"</{name}>"))


POSLOGS = FeedFiles(
    "pos_transactions",
    path="pos/transactions/poslog_{ds}_{part}.xml",
    format=POSLOG,
    file_of="node_no",
    inner="pos_transaction_lines",
    beside="pos_transaction_tenders",
    at_once=5_000,
    trial=pl.col("flag") == TRAINING,
    targets=(
        Target(
            "bad_type", "items", pl.col("items").str.replace(r"<Quantity>\d+<", "<Quantity>two<"),
            "the first quantity is a word", "quarantine", feed="pos_transaction_lines", only=pl.col("_inner") > 0,
        ),
        Target("clock_skew", "at_us", pl.col("at_us"), "the till's clock is wrong", "accept"),
    ),
    fields={
        "transaction": pl.concat_str(
            pl.lit("<Transaction"),
            "flag_text",
            pl.lit(">"),
            _tag("RetailStoreID", pl.col("node_id")),
            _tag("WorkstationID", pl.col("till")),
            _tag("SequenceNumber", pl.col("sequence")),
            _tag("BusinessDayDate", pl.col("business_day")),
            _tag("BeginDateTime", clock("at_us", pl.col("offset"), "%Y-%m-%dT%H:%M:%S")),
            _tag("EndDateTime", clock(pl.col("at_us") + _SCAN, pl.col("offset"), "%Y-%m-%dT%H:%M:%S")),
            _tag("OperatorID", pl.col("operator")),
            _tag("CurrencyCode", pl.lit("CNY")),
            "head",
            "items",
            "foot",
            pl.lit("</Transaction>"),
        )
    },
)  # fmt: skip


def poslogs(state: State, night: Night, tickets: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Transactions of the Chinese tills; ``_file`` is the store's number."""
    rows = _with_totals(state, night, "CN", tickets, lines)
    mine = lines.join(rows.select("ticket_id", "kind"), on="ticket_id", how="inner", maintain_order="left")
    goods = state.world.products.select("sku", "title")[mine["product_no"]]
    items = (
        pl.concat([mine, goods], how="horizontal")
        .select("ticket_id", _item().alias("items"))
        .group_by("ticket_id", maintain_order=True)
    )
    rows = rows.join(items.agg(pl.col("items").str.join("")), on="ticket_id", how="left", maintain_order="left")
    is_return, retail = pl.col("kind") == RETURN, pl.col("kind") != CONTROL
    signed = pl.when(is_return).then(-pl.col("paid")).otherwise("paid")
    tender = pl.concat_str(
        pl.lit("<LineItem><SequenceNumber>"), pl.col("_inner") + 90,
        pl.lit('</SequenceNumber><Tender TenderType="'), "tender",
        pl.when(is_return).then(pl.lit('" TypeCode="Refund"><Amount>')).otherwise(pl.lit('" TypeCode="Sale"><Amount>')),
        money("paid"), pl.lit("</Amount>"),
        pl.when(pl.col("token").is_not_null()).then(_tag("tv:CardToken", pl.col("token"))).otherwise(pl.lit("")),
        pl.lit("</Tender></LineItem>"),
    )  # fmt: skip
    card = pl.when("card_shown").then(
        pl.concat_str(
            pl.lit("<LoyaltyAccount><LoyaltyProgram><LoyaltyAccountID>"),
            "card",
            pl.lit("</LoyaltyAccountID></LoyaltyProgram></LoyaltyAccount>"),
        )
    )
    total = pl.concat_str(
        pl.lit('<Total TotalType="TransactionGrandAmount">'), money(signed), pl.lit("</Total></RetailTransaction>")
    )
    rows = rows.with_columns(
        pl.col("flag").replace_strict(_FLAGS, default="", return_dtype=pl.String).alias("flag_text"),
        pl.when(retail).then(pl.lit('<RetailTransaction Version="2.1">')).otherwise(
            pl.lit(
                "<ControlTransaction><ReasonCode>SignOn</ReasonCode>"
                "<tv:Drawer>open</tv:Drawer></ControlTransaction>"
            )
        ).alias("head"),
        pl.col("items").fill_null(""),
        pl.when(retail).then(pl.concat_str(tender, card.fill_null(""), total)).otherwise(pl.lit("")).alias("foot"),
        retail.cast(pl.Int64).alias("_rows"),
        retail.cast(pl.Int64).alias("_beside"),
    )  # fmt: skip
    return owned(rows, pl.col("ticket_id"), "_owner")


def _item() -> pl.Expr:
    kind = pl.when(pl.col("kind") == RETURN).then(pl.lit("Return")).otherwise(pl.lit("Sale"))
    link = pl.concat_str(
        pl.lit('<TransactionLink ReasonCode="Return"><TransactionID>'),
        "original",
        pl.lit("</TransactionID></TransactionLink>"),
    )
    return pl.concat_str(
        pl.when("void").then(pl.lit('<LineItem EntryMethod="Scanned" '
                                    'VoidFlag="true">')).otherwise(pl.lit('<LineItem EntryMethod="Scanned">')),
        _tag("SequenceNumber", pl.col("line_no")),
        pl.lit("<"), kind, pl.lit(' ItemType="Stock">'),
        _tag("ItemID", pl.col("sku")),
        _tag("Description", xml_text("title")),
        _tag("RegularSalesUnitPrice", money("unit")),
        _tag("ExtendedAmount", money(_NET)),
        _tag("DiscountAmount", money("discount")),
        _tag("Quantity", pl.col("quantity")),
        link.fill_null(""),
        _tag("tv:ScanMs", 200 + pl.col("product_no") % 900),
        pl.lit("</"), kind, pl.lit("></LineItem>"),
    )  # fmt: skip


_NET = pl.col("quantity") * pl.col("unit") - pl.col("discount")


def _with_totals(state: State, night: Night, market: str, tickets: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """A market's tickets with what was paid (cents), how, the customer's card, the till's clock and the number of
    lines."""
    tickets = tickets.filter(pl.col("market") == MARKETS.index(market))
    paid = lines.with_columns(pl.when("void").then(0).otherwise(_NET).alias("net")).group_by(
        "ticket_id", maintain_order=True
    )
    rows = tickets.join(
        paid.agg(pl.col("net").sum().alias("paid"), pl.len().alias("_inner")),
        on="ticket_id",
        how="left",
        maintain_order="left",
    )
    draws = state.world.draws
    tender = pl.Series("tender", TENDERS).gather(
        draws.choose(f"tender {market}", tickets.height, [0.15, 0.35, 0.5], night.number)
    )
    people = state.world.people.shown(["card", "pay_token"], rows["person_no"].fill_null(0))
    rows = pl.concat([rows, people], how="horizontal").with_columns(tender.alias("tender"))
    return rows.with_columns(
        pl.col("paid", "_inner").fill_null(0).cast(pl.Int64),
        pl.when((pl.col("tender") == "CreditDebit") & pl.col("person_no").is_not_null())
        .then("pay_token")
        .alias("token"),
        (10 + pl.col("sequence") % 7).alias("operator"),
        pl.lit(night.ds).alias("business_day"),
        pl.lit(night.offsets[market]).cast(pl.Int64).alias("offset"),
        pl.col("person_no").alias("_owner"),
    )


_DAY, _TIME = "%d.%m.%Y", "%d.%m.%Y %H:%M:%S"
_FLAT = {
    "StoreID": csv_plain("node_id"),
    "Till": csv_plain("till"),
    "ReceiptNo": csv_plain("sequence"),
    "BusinessDate": csv_plain("day"),
}
TICKETS_EU = FeedFiles(
    "pos_tickets_eu",
    path="pos/flat/tickets_{ds}.csv",
    beside="pos_ticket_payments_eu",
    trial=pl.col("status") == _STATUS[TRAINING],
    delimiter=";",
    late=False,
    optional="LoyaltyNo",
    truncated="quarantine",
    targets=(Target("impossible", "status", pl.lit("VERKAUFT"), "the status is no word of the till's", "quarantine"),),
    fields=_FLAT
    | {
        "Start": clock("at_us", pl.col("offset"), _TIME),
        "End": clock(pl.col("at_us") + _SCAN, pl.col("offset"), _TIME),
        "Operator": csv_plain("operator"),
        "Status": csv_plain("status"),
        "Currency": pl.lit("EUR"),
        "Total": comma("paid"),
        "LoyaltyNo": csv_plain(pl.when("card_shown").then("card")),
        "PaymentType": csv_plain("tender"),
        "CardToken": csv_plain("token"),
    },
)
TICKET_LINES_EU = FeedFiles(
    "pos_ticket_lines_eu",
    path="pos/flat/ticket_lines_{ds}.csv",
    trial=pl.col("status") == _STATUS[TRAINING],
    delimiter=";",
    late=False,
    truncated="quarantine",
    targets=(
        Target("bad_type", "quantity", pl.lit("zwei"), "the quantity is a word", "quarantine"),
        Target("impossible", "price_text", pl.lit("-1,00"), "the unit price is -1,00", "quarantine"),
    ),
    fields=_FLAT
    | {
        "Line": csv_plain("line_no"),
        "Kind": csv_plain("line_kind"),
        "ArticleNo": csv_plain("sku"),
        "Text": csv_text("title"),
        "Quantity": csv_plain("quantity"),
        "UnitPrice": csv_plain("price_text"),
        "Discount": comma("discount"),
        "Amount": comma("net"),
        "Currency": pl.lit("EUR"),
        "Voided": csv_plain(pl.col("void").cast(pl.Int8)),
        "Status": csv_plain("status"),
        "OrigReceipt": csv_plain("original"),
        "LoyaltyNo": csv_plain(pl.when("card_shown").then("card")),
        "Start": clock("at_us", pl.col("offset"), _TIME),
        "End": clock(pl.col("at_us") + _SCAN, pl.col("offset"), _TIME),
    },
)


def flat(state: State, night: Night, tickets: pl.DataFrame, lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Tickets and ticket lines of the European tills, without control events."""
    rows = _with_totals(state, night, "EU", tickets.filter(pl.col("kind") != CONTROL), lines).with_columns(
        pl.col("flag").replace_strict(_STATUS, default=None, return_dtype=pl.String).alias("status"),
        pl.lit(night.day.strftime(_DAY)).alias("day"),
        pl.lit(1, dtype=pl.Int64).alias("_beside"),
    )
    rows = rows.with_columns(
        pl.coalesce("status", pl.when(pl.col("kind") == RETURN).then(pl.lit("RETURN")).otherwise(pl.lit("SALE"))).alias(
            "status"
        ),
    )
    shared = (
        "ticket_id",
        "node_id",
        "till",
        "sequence",
        "day",
        "at_us",
        "offset",
        "status",
        "card",
        "card_shown",
        "kind",
        "_owner",
    )
    found = lines.join(rows.select(*shared), on="ticket_id", how="inner", maintain_order="left")
    goods = state.world.products.select("sku", "title")[found["product_no"]]
    found = pl.concat([found, goods], how="horizontal").with_columns(
        pl.when(pl.col("kind") == RETURN).then(pl.lit("R")).otherwise(pl.lit("S")).alias("line_kind"),
        _NET.alias("net"),
        comma("unit").alias("price_text"),
    )
    return owned(rows, pl.col("ticket_id"), "_owner"), owned(
        found, pl.concat_str("ticket_id", pl.lit("/"), "line_no"), "_owner"
    )
