"""Names used by the simulated world: places, goods, posts and comments. People's names are in names.py."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Town:
    """A city where customers live: the first four digits of its postcodes, degrees north and east."""

    name: str
    region: str
    market: str
    postcode: str
    lat: float
    lon: float


TOWNS = (  # ordered by number of customers, within each market
    Town("Shanghai", "Shanghai", "CN", "2000", 31.23, 121.47),
    Town("Berlin", "Berlin", "EU", "1011", 52.52, 13.40),
    Town("Hangzhou", "Zhejiang", "CN", "3100", 30.27, 120.16),
    Town("Beijing", "Beijing", "CN", "1000", 39.90, 116.41),
    Town("Nanjing", "Jiangsu", "CN", "2100", 32.06, 118.80),
    Town("Guangzhou", "Guangdong", "CN", "5100", 23.13, 113.26),
    Town("Hamburg", "Hamburg", "EU", "2009", 53.55, 10.00),
    Town("Shenzhen", "Guangdong", "CN", "5180", 22.54, 114.06),
    Town("Suzhou", "Jiangsu", "CN", "2150", 31.30, 120.58),
    Town("Chengdu", "Sichuan", "CN", "6100", 30.57, 104.07),
    Town("München", "Bayern", "EU", "8033", 48.14, 11.58),
    Town("Wuhan", "Hubei", "CN", "4300", 30.59, 114.31),
    Town("Xi'an", "Shaanxi", "CN", "7100", 34.34, 108.94),
    Town("Köln", "Nordrhein-Westfalen", "EU", "5066", 50.94, 6.96),
    Town("Qingdao", "Shandong", "CN", "2660", 36.07, 120.38),
    Town("Harbin", "Heilongjiang", "CN", "1500", 45.80, 126.53),
)
WAREHOUSES = {
    "CN": Town("Jiaxing", "Zhejiang", "CN", "3140", 30.75, 120.76),
    "EU": Town("Leipzig", "Sachsen", "EU", "0415", 51.34, 12.37),
}


@dataclass(frozen=True)
class Category:
    """Goods of a kind: words for them, lowest and highest list price (CNY), weight (g), region and its lead time
    (days), busiest month."""

    name: str
    nouns: tuple[str, ...]
    low: float
    high: float
    weight_g: int
    supply_region: str
    lead_days: int
    best_month: int


CATEGORIES = (
    Category("Womenswear", ("Dress", "Blouse", "Knit Cardigan", "Pleated Skirt"), 159, 899, 450, "Guangdong", 5, 4),
    Category("Menswear", ("Oxford Shirt", "Chino", "Polo", "Field Jacket"), 139, 999, 600, "Zhejiang", 4, 10),
    Category("Shoes", ("Sneaker", "Loafer", "Ankle Boot"), 259, 1_299, 1_100, "Fujian", 6, 9),
    Category(
        "Beauty", ("Cleanser & Toner Set", "Hand Cream", "Face Serum", "Lip Balm"), 39, 459, 180, "Shanghai", 3, 6
    ),
    Category(
        "Home", ("Ceramic Mug", "Duvet Cover", "Scented Candle", "Salt & Pepper Mill"), 29, 599, 900, "Jiangxi", 7, 11
    ),
    Category("Food", ("Longjing Tea", "Almond Biscuits", "Dark Chocolate"), 19, 199, 350, "Yunnan", 4, 1),
    Category("Electronics", ("Earbuds", "Power Bank", "Desk Lamp"), 99, 1_599, 500, "Guangdong", 8, 11),
    Category("Accessories", ("Silk Scarf", "Leather Belt", "Tote Bag", "Sunglasses"), 49, 699, 250, "Jiangsu", 5, 7),
)
ADJECTIVES = ("Classic", "Light", "Urban", "Nordic", "Everyday", "Studio", "Heritage", "Soft", "Summer")

PLATFORMS = {"CN": ("wechat", "douyin", "xiaohongshu"), "EU": ("instagram", "tiktok", "pinterest")}
RETURN_REASONS = ("too small", "too large", "damaged", "changed mind", "not as described")
PACKAGING = ("box", "bag", "reusable")
TENDERS = ("Cash", "CreditDebit", "MobilePay")

COMMENTS: tuple[tuple[int, str], ...] = (
    # the satisfaction score (1 to 5) of the comment
    (1, "Far too late.\nNobody answered the phone.\n\nI want my money back."),
    (1, "Nie wieder."),
    (2, "Box damaged, goods fine; still, not what I expect"),
    (2, "快递太慢了,\n客服态度一般。"),
    (3, "ok"),
    (3, "So lala, für den Preis in Ordnung"),
    (4, 'Nice quality, "true to size" as they say.'),
    (4, "质量不错,下次还会再来"),
    (5, "Perfect!\nWrapped with care,\ncame a day early."),
    (5, "非常满意,推荐给朋友!"),
)
POSTS: tuple[tuple[str, str], ...] = (
    # language and text; {} is the product
    ("zh", "新品上架:{} 限时优惠"),
    ("en", 'Meet our "{}".\nIn store and online now.'),
    ("zh", "今晚八点直播,{} 等你来"),
    ("de", "Neu bei uns: {} – jetzt entdecken"),
)
SHARES: tuple[tuple[str, str], ...] = (
    ("zh", "刚入手 {},真的很喜欢\n推荐!"),
    ("en", 'Love my new {}! "Worth every cent"'),
    ("de", "{} gekauft – größer als gedacht, trotzdem schön"),
    ("zh", "{} 一般般吧"),
)
