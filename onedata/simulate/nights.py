"""One night of the retailer: events, deliveries, and ground truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from onedata.simulate import fulfilment, payments, profiles, shop, stock, tills, voices
from onedata.simulate.afterwards import numbered_gestures, order_versions, parcels_back, refunded_lines
from onedata.simulate.agreed import gift_cards
from onedata.simulate.calendar import Night, night_of
from onedata.simulate.draws import Floats, Ints
from onedata.simulate.feeds import epcis, logistics, marketplace, reference, refunds, social, web
from onedata.simulate.feeds import payments as payment_feeds
from onedata.simulate.feeds import shop as shop_feeds
from onedata.simulate.feeds import tills as till_feeds
from onedata.simulate.feeds.base import FeedFiles
from onedata.simulate.happened import Truth, what_is_true
from onedata.simulate.journeys import conversion, start_journeys
from onedata.simulate.prices import set_prices
from onedata.simulate.selling import sell
from onedata.simulate.state import Movements, State
from onedata.simulate.world import World

FEEDS: tuple[FeedFiles, ...] = (
    # The largest feeds of a first night come first, while memory is empty.
    reference.CONSENTS,
    reference.CUSTOMERS,
    reference.MEMBERS,
    shop_feeds.ORDERS,
    refunds.REFUNDS,
    payment_feeds.PAYMENTS,
    marketplace.ORDERS,
    reference.PRODUCTS,
    reference.PRICES,
    web.EVENTS,
    till_feeds.POSLOGS,
    till_feeds.TICKETS_EU,
    till_feeds.TICKET_LINES_EU,
    reference.STORES,
    social.POSTS,
    social.MENTIONS,
    social.ENGAGED,
    social.SPEND,
    logistics.SHIPMENTS,
    logistics.RETURNS,
    logistics.INVENTORY,
    logistics.MOVEMENTS,
    epcis.EPCIS,
    logistics.SURVEYS,
    reference.RATES,
    reference.LEDGER,
)

Making = Callable[[], pl.DataFrame]
BEGUN_BEFORE = 12


@dataclass(frozen=True)
class Crowd:
    """Data of the people that every night needs: each person's position among segments and markets, and journeys per
    day."""

    segment: Ints
    market: Ints
    journeys: Floats


def crowd_of(world: World) -> Crowd:
    """The crowd of a world, with journeys scaled so that the number of resulting orders matches the settings."""
    segment, market = stock.kinds_of_people(world)
    social_account = world.people.frame["has_social"].to_numpy()
    rate = np.array([[conversion(one, has) for has in (False, True)] for one in range(3)])[
        segment, social_account.astype(np.int64)
    ]
    return Crowd(segment, market, world.settings.rate * world.people.frame["activity"].to_numpy() / rate)


def opening_state(world: World, crowd: Crowd) -> State:
    """The retailer's state before its first night."""
    frame = world.people.frame
    state = State(
        world=world,
        stock=stock.opening_stock(
            world, crowd.segment, crowd.market, frame["activity"].to_numpy(), frame["home_store"].to_numpy()
        ),
        list_price=world.products["list_price"].to_numpy().copy(),
        has_account=frame["shop_before"].to_numpy().copy(),
        has_card=frame["card_before"].to_numpy().copy(),
        tier=world.draws.choose("tier", frame.height, profiles.TIER_SHARES),
        sharers=np.zeros(0, dtype=np.int64),
    )
    stock.open_supply(state)
    fulfilment.expect_counter(state)
    # Journeys take days: those begun before the first night fill it like any other night.
    for number in range(-BEGUN_BEFORE, 0):
        night = night_of(world.settings.start, number)
        start_journeys(state, night, crowd.segment, crowd.market, crowd.journeys * night.demand)
    return state


def live(state: State, crowd: Crowd, night: Night) -> tuple[dict[str, Making], Truth]:
    """Simulate the night: returns functions that make each feed's frame, by feed name, and the night's ground truth.

    A frame is made when it is written, in the order of ``FEEDS``: all frames of a night would not fit into memory.
    """
    movements = Movements(night)
    today = set_prices(state, night)
    stock.receive(state, night, movements)
    start_journeys(state, night, crowd.segment, crowd.market, crowd.journeys * night.demand)
    touches = state.agenda.take("touch", night.number)
    wishes = state.agenda.take("purchase", night.number)
    sales = sell(state, night, wishes, today)
    placed = shop.place_orders(state, night, sales)
    tests = shop.test_orders(state, night, placed.orders, placed.lines)
    gifts = gift_cards(state, night, placed.orders, placed.lines)
    tickets, ticket_lines, joined = tills.ring_up(
        state, night, sales, state.agenda.take("counter", night.number), movements
    )
    versions, version_lines, sent = order_versions(state, night, placed, tests, gifts, movements)
    payments.pay(state, night, placed, gifts)
    paid = payments.numbered(state, night)
    sold_elsewhere = marketplace.sold(placed)
    back = parcels_back(state, night, movements)
    stock.replenish(state, night, movements)
    stock.lose(state, night, movements)
    shares = state.agenda.take("share", night.number)
    visits = voices.sessions(state, night, touches, placed.orders, placed.lines)
    moved = movements.all()
    flat_tickets, flat_lines = till_feeds.flat(state, night, tickets, ticket_lines)
    answers = logistics.numbered_answers(state, state.agenda.take("survey", night.number))
    gestures = numbered_gestures(state, night)
    arrived = state.agenda.take("delivery", night.number)
    books = profiles.ledger_rows(state, night)
    frames: dict[str, Making] = {
        "shop_orders": lambda: shop_feeds.orders(state, versions, version_lines),
        "shop_payments": lambda: payment_feeds.payments(paid),
        "marketplace_orders": lambda: marketplace.orders(state, *sold_elsewhere),
        "shop_refunds": lambda: refunds.refunds(state, refunded_lines(state, night, versions, version_lines), gestures),
        "shop_customers": lambda: reference.customers(state, profiles.shop_profiles(state, night, placed.registered)),
        "shop_products": lambda: reference.products(state, night, today),
        "shop_prices": lambda: reference.prices(state, night, today),
        "shop_events": lambda: web.events(state, night, voices.events(state, night, visits)),
        "pos_transactions": lambda: till_feeds.poslogs(state, night, tickets, ticket_lines),
        "pos_tickets_eu": lambda: flat_tickets,
        "pos_ticket_lines_eu": lambda: flat_lines,
        "pos_members": lambda: reference.members(state, profiles.card_profiles(state, night, joined)),
        "pos_stores": lambda: reference.stores(state, night),
        "social_posts": lambda: social.posts(state, night, voices.posts(state, night)),
        "social_mentions": lambda: social.mentions(state, night, voices.mentions(state, night, shares)),
        "social_engagements": lambda: social.engagements(
            state, night, voices.engagements(state, night, touches, shares)
        ),
        "social_spend": lambda: social.spend(state, night),
        "logistics_shipments": lambda: logistics.shipments(state, night, sent, arrived),
        "logistics_returns": lambda: logistics.returns(state, back),
        "logistics_inventory": lambda: logistics.inventory(state, night, stock.snapshot(state)),
        "logistics_movements": lambda: logistics.movements(state, night, moved),
        "logistics_epcis": lambda: epcis.epcis(state, night, moved, sent, version_lines),
        "service_surveys": lambda: logistics.surveys(answers),
        "finance_exchange_rates": lambda: reference.rates(night),
        "finance_ledger": lambda: reference.ledger(books),
        "customer_consents": lambda: reference.consents(
            state, profiles.consents(state, night, placed.registered, joined)
        ),
    }
    return frames, what_is_true(
        state, night, today, sales, placed, tests, gifts, tickets, ticket_lines, back, gestures, answers, paid, sent
    )
