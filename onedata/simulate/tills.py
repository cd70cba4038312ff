"""The tills' side: tickets with their sequence, cards shown, new members, and voided, parked or training
transactions."""

from __future__ import annotations

import numpy as np
import polars as pl

from onedata.simulate.calendar import DAY, HOUR, MARKETS, SECOND, Night
from onedata.simulate.draws import Ints
from onedata.simulate.fulfilment import RETURN_COLUMNS, ask_survey, returned_lines, share
from onedata.simulate.journeys import STORE, store_clock
from onedata.simulate.selling import Sales
from onedata.simulate.state import NEVER, Movements, State

TILLS = 3
JOINS = 0.2
SHOWS_CARD = 0.85
CANCELLED, SUSPENDED, VOIDED = 0.01, 0.006, 0.012
RETURNED = 0.04
DAMAGED = 0.1

SALE, RETURN, CONTROL = range(3)
NORMAL, TRAINING, CANCELLED_FLAG, SUSPENDED_FLAG = range(4)


def ring_up(
    state: State, night: Night, sales: Sales, counter: pl.DataFrame, movements: Movements
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The night's till transactions, their lines, and the members who joined at a till.

    Tickets: ``ticket_id, node_no, till, sequence, at_us, kind, flag, person_no`` (null without a person), ``card_shown,
        journey_no, market``.
    Lines: ``ticket_id, line_no, product_no, quantity, unit, discount, void, original``.
    """
    joined = _join_members(state, night, sales.tickets)
    sold = _sold(state, night, sales)
    sold_lines = _sold_lines(state, night, sales)
    extra, extra_lines = _not_sales(state, night, sold, sold_lines)
    back, back_lines = _taken_back(state, night, counter, movements)
    tickets = pl.concat([sold, extra, back, _control(state, night)], how="diagonal_relaxed")
    tickets = _numbered(state, night, tickets)
    names = tickets.select("document", "ticket_id")
    lines = pl.concat([sold_lines, extra_lines, back_lines], how="diagonal_relaxed").join(
        names, on="document", how="inner", maintain_order="left"
    )
    _book(tickets, lines, movements)
    _after(state, night, tickets, lines)
    return tickets, lines, joined


def _join_members(state: State, night: Night, tickets: pl.DataFrame) -> pl.DataFrame:
    """Who gets a card at this purchase: ``person_no, registered_us``."""
    person = tickets["person_no"].to_numpy()
    willing = state.world.people.frame["has_card"].to_numpy()[person] & ~state.has_card[person]
    joins = willing & state.world.draws.chance("joins", len(person), JOINS, night.number)
    found = tickets.filter(pl.Series(joins)).unique("person_no", keep="first", maintain_order=True)
    state.has_card[found["person_no"].to_numpy()] = True
    return found.select("person_no", pl.col("at_us").alias("registered_us"))


def _sold(state: State, night: Night, sales: Sales) -> pl.DataFrame:
    size, person = sales.tickets.height, sales.tickets["person_no"].to_numpy()
    shows = state.has_card[person] & state.world.draws.chance("shows card", size, SHOWS_CARD, night.number)
    return sales.tickets.select(
        pl.concat_str(pl.lit("s"), "sale_no").alias("document"),
        pl.col("store").alias("node_no"),
        "at_us",
        pl.lit(SALE).alias("kind"),
        pl.lit(NORMAL).alias("flag"),
        "person_no",
        pl.Series("card_shown", shows),
        "journey_no",
    )


def _sold_lines(state: State, night: Night, sales: Sales) -> pl.DataFrame:
    """Sold lines, and after some of them a line that was scanned twice and voided."""
    lines = sales.ticket_lines.with_columns(
        pl.concat_str(pl.lit("s"), "sale_no").alias("document"), pl.lit(value=False).alias("void")
    )
    twice = lines.filter(pl.Series(state.world.draws.chance("scanned twice", lines.height, VOIDED, night.number)))
    last = lines.group_by("document", maintain_order=True).agg(pl.col("line_no").max().alias("last"))
    order = pl.int_range(pl.len()).over("document") + 1
    voided = twice.join(last, on="document", how="left", maintain_order="left").with_columns(
        (pl.col("last") + order).alias("line_no"), pl.lit(value=True).alias("void")
    )
    return (
        pl.concat([lines, voided.drop("last")])
        .drop("sale_no")
        .with_columns(pl.lit(None, dtype=pl.String).alias("original"))
    )


def _not_sales(
    state: State, night: Night, sold: pl.DataFrame, lines: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Transactions that are not sales: for training, cancelled, or parked and rung up again."""
    parts, part_lines = [], []
    shares = {TRAINING: state.world.settings.defects.test, CANCELLED_FLAG: CANCELLED, SUSPENDED_FLAG: SUSPENDED}
    for flag, chance in shares.items():
        chosen = sold.filter(pl.Series(state.world.draws.chance(f"no sale {flag}", sold.height, chance, night.number)))
        name = pl.concat_str("document", pl.lit(f"-{flag}"))
        copied = lines.join(chosen.select("document"), on="document", how="semi", maintain_order="left")
        part_lines.append(copied.with_columns(name.alias("document")))
        parts.append(
            chosen.with_columns(
                name.alias("document"),
                (pl.col("at_us") - 90 * flag * SECOND).alias("at_us"),
                pl.lit(flag).alias("flag"),
                pl.lit(None, dtype=pl.Int64).alias("person_no"),
                pl.lit(None, dtype=pl.Int64).alias("journey_no"),
                pl.lit(value=False).alias("card_shown"),
            )
        )
    return pl.concat(parts), pl.concat(part_lines)


def _taken_back(
    state: State, night: Night, counter: pl.DataFrame, movements: Movements
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Goods returned at a counter: one transaction per original document."""
    name = pl.concat_str(pl.lit("r"), "original").alias("document")
    rows = _in_till_currency(state, night, counter).with_columns(name)
    heads = rows.unique("document", keep="first", maintain_order=True)
    draws, size = state.world.draws, heads.height
    market = state.world.market_of_node[heads["store"].to_numpy()]
    at = night.opens + store_clock(draws.uniform("brings back", size, night.number) * 0.97, market, night)
    person = heads["person_no"].to_numpy()
    shows = state.has_card[person] & draws.chance("shows card at counter", size, SHOWS_CARD, night.number)
    tickets = heads.select(
        "document",
        pl.col("store").alias("node_no"),
        pl.Series("at_us", at),
        pl.lit(RETURN).alias("kind"),
        pl.lit(NORMAL).alias("flag"),
        "person_no",
        pl.Series("card_shown", shows),
    )
    lines = rows.with_columns(
        (pl.int_range(pl.len()).over("document") + 1).alias("line_no"), pl.lit(value=False).alias("void")
    )
    moment = rows.join(tickets.select("document", "at_us"), on="document", how="left", maintain_order="left")[
        "at_us"
    ].to_numpy()
    take_back(state, night, "counter", rows["store"].to_numpy(), rows, moment, movements)
    return tickets, lines.select(
        "document", "line_no", "product_no", "quantity", "unit", "discount", "void", "original"
    )


def _in_till_currency(state: State, night: Night, rows: pl.DataFrame) -> pl.DataFrame:
    """The shop sells in CNY (its order numbers have no dashes); a European till refunds in EUR, by the day's rate."""
    european = pl.Series(state.world.market_of_node[rows["store"].to_numpy()] == MARKETS.index("EU"))
    converts = european & ~rows["original"].str.contains("-", literal=True)
    amounts = [
        pl.when(converts)
        .then((pl.col(name) / night.euro_in_cny).round(0).cast(pl.Int64))
        .otherwise(pl.col(name))
        .alias(name)
        for name in ("unit", "discount")
    ]
    return rows.with_columns(amounts)


def take_back(
    state: State, night: Night, kind: str, node: Ints, rows: pl.DataFrame, moved_us: Ints, movements: Movements
) -> None:
    """Put returned goods (``product_no, quantity, original``) on the shelf; a tenth is damaged and written off."""
    product, quantity = rows["product_no"].to_numpy(), rows["quantity"].to_numpy()
    damaged = state.world.draws.chance(f"damaged {kind}", rows.height, DAMAGED, night.number)
    np.add.at(state.stock.on_hand, (node, product), np.where(damaged, 0, quantity))
    movements.add("return", node, product, quantity, moved_us, rows["original"])
    movements.add(
        "write_off",
        node[damaged],
        product[damaged],
        -quantity[damaged],
        moved_us[damaged] + SECOND,
        rows["original"].filter(pl.Series(damaged)),
    )


def _control(state: State, night: Night) -> pl.DataFrame:
    """Sign on at every till in the morning."""
    store = np.repeat(np.arange(state.world.stores), TILLS)
    opens = night.opens + store_clock(np.zeros(len(store)), state.world.market_of_node[store], night)
    return pl.DataFrame(
        {"node_no": store, "till": np.tile(np.arange(1, TILLS + 1), state.world.stores), "at_us": opens - 900 * SECOND}
    ).with_columns(pl.lit(CONTROL).alias("kind"), pl.lit(NORMAL).alias("flag"), pl.lit(value=False).alias("card_shown"))


def _numbered(state: State, night: Night, tickets: pl.DataFrame) -> pl.DataFrame:
    """Choose a till, number each till's transactions in time order, and name them as the tills do."""
    chosen = 1 + state.world.draws.below("till", tickets.height, TILLS, night.number)
    market = state.world.market_of_node[tickets["node_no"].to_numpy()]
    tickets = tickets.with_columns(
        pl.coalesce("till", pl.Series("chosen", chosen)).alias("till"), pl.Series("market", market)
    )
    tickets = tickets.sort("node_no", "till", "at_us", "kind", "document", maintain_order=True)
    tickets = tickets.with_columns((pl.int_range(pl.len()).over("node_no", "till") + 1).alias("sequence"))
    node = state.world.nodes["node_id"].gather(tickets["node_no"])
    return tickets.with_columns(node.alias("node_id")).with_columns(
        pl.concat_str("node_id", "till", "sequence", pl.lit(night.ds), separator="-").alias("ticket_id")
    )


def _book(tickets: pl.DataFrame, lines: pl.DataFrame, movements: Movements) -> None:
    """Movements of goods sold over the counter; the stock itself was taken at the sale."""
    sold = tickets.filter((pl.col("kind") == SALE) & (pl.col("flag") == NORMAL)).select("ticket_id", "node_no", "at_us")
    taken = lines.filter(~pl.col("void")).join(sold, on="ticket_id", how="inner", maintain_order="left")
    movements.add(
        "sale",
        taken["node_no"].to_numpy(),
        taken["product_no"].to_numpy(),
        -taken["quantity"].to_numpy(),
        taken["at_us"].to_numpy(),
        taken["ticket_id"],
    )


def _after(state: State, night: Night, tickets: pl.DataFrame, lines: pl.DataFrame) -> None:
    """Consequences of today's tickets: returns, survey answers, posts."""
    draws = state.world.draws
    sold = tickets.filter((pl.col("kind") == SALE) & (pl.col("flag") == NORMAL)).sort("at_us", "ticket_id")
    size = sold.height
    back = draws.chance("ticket returns", size, RETURNED, night.number)
    days = 1 + np.floor(draws.uniform("ticket back after", size, night.number) ** 2 * 10).astype(np.int64)
    sound = lines.filter(~pl.col("void"))
    documents = sold.with_columns(
        pl.Series("due", np.where(back, night.number + days, NEVER)),
        pl.int_range(pl.len()).alias("position"),
        (pl.col("at_us") + DAY).alias("asked_us"),
        pl.lit(0, dtype=pl.Int64).alias("added_percent"),
        pl.lit(STORE).cast(pl.Int64).alias("channel"),
    ).rename({"node_no": "store"})
    numbered = sound.join(documents.select("ticket_id", "position"), on="ticket_id", how="inner", maintain_order="left")
    numbered = numbered.sort("position", "line_no").drop("ticket_id", "document", "original")
    returning = documents.filter(pl.col("due") < NEVER).drop("document").rename({"ticket_id": "original"})
    rows = returned_lines(state, night, "ticket", returning, numbered, "position")
    state.agenda.put("counter", rows["due"].to_numpy(), rows.select(*RETURN_COLUMNS))
    known = documents.filter(pl.col("card_shown"))
    served = known.select(
        pl.col("ticket_id").alias("document"),
        "person_no",
        "channel",
        pl.lit(value=False).alias("late"),
        (pl.col("at_us") + HOUR).alias("delivered_us"),
    )
    ask_survey(state, night, "pos", served, np.zeros(known.height, dtype=np.bool_))
    share(
        state,
        night,
        documents.select("person_no", pl.col("at_us").alias("had_us")),
        numbered,
        documents["position"],
        "position",
    )
