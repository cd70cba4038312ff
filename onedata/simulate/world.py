"""The world before any sale: places, goods and people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from onedata.simulate.calendar import COUNTRIES, CURRENCIES, MARKETS, PLANNED_EURO_IN_CNY, ZONES
from onedata.simulate.catalogue import ADJECTIVES, CATEGORIES, TOWNS, WAREHOUSES, Town
from onedata.simulate.draws import Draws, Floats, Ints
from onedata.simulate.model import SimulationSettings
from onedata.simulate.people import City, People, build_people
from onedata.simulate.residents import Residents

EU_SHARE_OF_STORES = 0.2
EARTH_KM = 6_371.0
SUPPLIERS = 17
SEASONS = {0: 1.6, 1: 1.3}
"""How much more a category is wanted so many months from its best one."""


@dataclass(frozen=True)
class World:
    """Everything that does not change: one row per node, product and person; a row's number is its node_no, product_no,
    person_no.

    ``nodes`` are the stores and then one warehouse per market of ``MARKETS``.
    """

    settings: SimulationSettings
    draws: Draws
    nodes: pl.DataFrame
    products: pl.DataFrame
    people: Residents
    popularity: Floats
    listed: Ints
    """Number of SKUs each node lists: it holds the ``listed`` best sellers."""

    @property
    def stores(self) -> int:
        """Number of stores."""
        return self.nodes.height - len(MARKETS)

    def warehouse(self, market: int) -> int:
        """Node number of a market's warehouse."""
        return self.stores + market

    def wanted(self, month: int) -> Floats:
        """Each product's share of demand in a month (1 to 12): a category sells more in its best month and the adjacent
        ones."""
        away = [min((month - each.best_month) % 12, (each.best_month - month) % 12) for each in CATEGORIES]
        season = np.array([SEASONS.get(months, 1.0) for months in away])[self.products["category_no"].to_numpy()]
        wanted: Floats = self.popularity * season
        return wanted

    @property
    def market_of_node(self) -> Ints:
        """Index of each node's market in ``MARKETS``."""
        return markets_of(self.nodes["market"])


def everybody(settings: SimulationSettings) -> People:
    """The people of the retailer of ``settings``, with their full ground truth."""
    draws = Draws(settings.seed)
    return build_people(draws, settings.customers, _cities(_nodes(settings, draws)), settings.stores, settings.identity)


def build_world(settings: SimulationSettings, people: Residents) -> World:
    """The retailer of ``settings`` before its first night."""
    draws = Draws(settings.seed)
    nodes = _nodes(settings, draws)
    products = _products(settings, draws)
    ranks = np.arange(1, products.height + 1, dtype=np.float64)
    popularity = 1 / (ranks + 2)
    share = np.where(nodes["node_type"].to_numpy() == "store", 0.35 + 0.6 * draws.uniform("listing", nodes.height), 1.0)
    listed = np.maximum(1, np.ceil(share * products.height)).astype(np.int64)
    return World(settings, draws, nodes, products, people, popularity / popularity.sum(), listed)


def markets_of(names: pl.Series) -> Ints:
    """Positions in ``MARKETS`` of market names."""
    return names.cast(pl.Enum(MARKETS)).to_physical().cast(pl.Int64).to_numpy()


def distance_km(lat1: Floats, lon1: Floats, lat2: Floats, lon2: Floats) -> Floats:
    """Great-circle distance in kilometres to one decimal (haversine formula; degrees in)."""
    phi1, phi2 = np.radians(lat1), np.radians(lat2)
    half = np.sin((phi2 - phi1) / 2) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin(np.radians(lon2 - lon1) / 2) ** 2
    distance: Floats = np.round(2 * EARTH_KM * np.arcsin(np.sqrt(half)), 1)
    return distance


def towns_of_stores(stores: int) -> list[Town]:
    """The town of each store: one store in five is in Europe, the largest towns get the first and the most."""
    european = max(1, round(stores * EU_SHARE_OF_STORES)) if stores > 1 else 0
    found: list[Town] = []
    for market, count in zip(MARKETS, (stores - european, european), strict=True):
        towns = [town for town in TOWNS if town.market == market]
        found += [towns[number % len(towns)] for number in range(count)]
    return found


def _nodes(settings: SimulationSettings, draws: Draws) -> pl.DataFrame:
    stores = towns_of_stores(settings.stores)
    places = [*stores, *(WAREHOUSES[market] for market in MARKETS)]
    count = len(stores)
    jitter = (draws.uniform("site", 2 * len(places)) - 0.5) * 0.08
    area = np.append(120 + draws.below("area", count, 900), [24_000, 9_000])
    head = np.append(4 + area[:count] // 40 + draws.below("headcount", count, 5), [180, 70])
    opened = np.append(draws.below("opened", count, 4_000), [5_000, 2_000])
    return pl.DataFrame(
        {
            "node_no": np.arange(len(places)),
            "node_id": [f"S{number + 1:03d}" for number in range(count)]
            + [f"W{number + 1:02d}" for number in range(len(MARKETS))],
            "node_type": ["store"] * count + ["warehouse"] * len(MARKETS),
            "name": [f"{town.name} store {number + 1}" for number, town in enumerate(stores)]
            + [f"{WAREHOUSES[market].name} warehouse" for market in MARKETS],
            "city": [town.name for town in places],
            "region": [town.region for town in places],
            "market": [town.market for town in places],
            "country": [COUNTRIES[town.market] for town in places],
            "currency": [CURRENCIES[town.market] for town in places],
            "time_zone": [ZONES[town.market] for town in places],
            "zip": [f"{town.postcode}0" + ("0" if town.market == "CN" else "") for town in places],
            "lat": np.round([town.lat for town in places] + jitter[: len(places)], 4),
            "lon": np.round([town.lon for town in places] + jitter[len(places) :], 4),
            "area_m2": area,
            "headcount": head,
            "opened_days": opened,
        }
    )


def _cities(nodes: pl.DataFrame) -> list[City]:
    stores = nodes.filter(pl.col("node_type") == "store")
    numbers = {
        str(city): tuple(group)
        for city, group in stores.group_by("city", maintain_order=True).agg("node_no").iter_rows()
    }
    markets = set(nodes["market"]) if stores["market"].n_unique() > 1 else set(stores["market"])
    return [
        City(
            town.name,
            town.region,
            COUNTRIES[town.market],
            town.market,
            town.postcode,
            town.lat,
            town.lon,
            numbers.get(town.name, ()),
        )
        for town in TOWNS
        if town.market in markets
    ]


def _products(settings: SimulationSettings, draws: Draws) -> pl.DataFrame:
    count = settings.products
    number = np.arange(count)
    category = number % len(CATEGORIES)
    adjective = draws.below("adjective", count, len(ADJECTIVES))
    noun = draws.below("noun", count, np.array([len(CATEGORIES[c].nouns) for c in category]))
    low, high = (
        np.array([getattr(CATEGORIES[c], side) for c in category], dtype=np.float64) for side in ("low", "high")
    )
    list_price = np.floor(low * (high / low) ** draws.uniform("price", count)).astype(np.int64) * 100 + 90
    cost = np.floor(list_price * (0.35 + 0.25 * draws.uniform("cost", count))).astype(np.int64)
    return pl.DataFrame(
        {
            "product_no": number,
            "sku": [f"SKU-{n + 1:05d}" for n in number],
            "title": [
                f"{ADJECTIVES[a]} {CATEGORIES[c].nouns[k]} {n + 1:03d}"
                for n, a, c, k in zip(number, adjective, category, noun, strict=True)
            ],
            "category_no": category,
            "category": [CATEGORIES[c].name for c in category],
            "supplier": [f"SUP-{10 + n % SUPPLIERS}" for n in number],
            "supply_region": [CATEGORIES[c].supply_region for c in category],
            "lead_days": [CATEGORIES[c].lead_days for c in category],
            "weight_g": [CATEGORIES[c].weight_g for c in category],
            "list_price": list_price,
            "cost": cost,
        }
    )


def euro_cents(cny_cents: Ints) -> Ints:
    """The European shelf price of a Chinese one: a sixth higher, ending in .90."""
    return np.floor(cny_cents / PLANNED_EURO_IN_CNY * 1.16 / 100).astype(np.int64) * 100 + 90
