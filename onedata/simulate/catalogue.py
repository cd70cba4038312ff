"""The names the simulated world is made of: places, people, goods, posts and comments."""

CITIES: list[tuple[str, str, str, float, float]] = [
    # city, province, first four digits of its postcodes, latitude, longitude; the most customers first
    ("Shanghai", "Shanghai", "2000", 31.23, 121.47),
    ("Hangzhou", "Zhejiang", "3100", 30.27, 120.16),
    ("Beijing", "Beijing", "1000", 39.90, 116.41),
    ("Nanjing", "Jiangsu", "2100", 32.06, 118.80),
    ("Guangzhou", "Guangdong", "5100", 23.13, 113.26),
    ("Shenzhen", "Guangdong", "5180", 22.54, 114.06),
    ("Suzhou", "Jiangsu", "2150", 31.30, 120.58),
    ("Chengdu", "Sichuan", "6100", 30.57, 104.07),
    ("Wuhan", "Hubei", "4300", 30.59, 114.31),
    ("Xi'an", "Shaanxi", "7100", 34.34, 108.94),
    ("Qingdao", "Shandong", "2660", 36.07, 120.38),
    ("Harbin", "Heilongjiang", "1500", 45.80, 126.53),
]
WAREHOUSE = ("W01", "Jiaxing warehouse", "Jiaxing", "Zhejiang", "314000", 30.75, 120.76)

# Each name with the Latin spelling that e-mail addresses use.
CHINESE_FAMILY = "王wang 李li 张zhang 刘liu 陈chen 杨yang 黄huang 赵zhao 吴wu 周zhou 徐xu 孙sun 马ma 朱zhu 胡hu 郭guo 何he 林lin 罗luo 梁liang"
CHINESE_GIVEN = (
    "伟wei 芳fang 娜na 敏min 静jing 丽li 强qiang 磊lei 军jun 洋yang 艳yan 勇yong 杰jie 涛tao 明ming "
    "秀英xiuying 晓雨xiaoyu 子涵zihan 欣怡xinyi 浩然haoran 诗涵shihan 梓萱zixuan 宇轩yuxuan "
    "雨桐yutong 思远siyuan 佳怡jiayi 建国jianguo 海燕haiyan"
)
LATIN_FAMILY = "Smith García Müller Rossi Dubois Silva Novák Jansen O'Brien Kowalski Andersson Costa"
LATIN_GIVEN = "Anna David Elena Marco Sophie Lukas María James Olivia Pedro Zoë Thomas Clara Hugo"

CATEGORIES: list[tuple[str, str, float, float, int, str]] = [
    # category, nouns, lowest price, highest price (CNY), weight (g), supply region
    ("Womenswear", "Dress|Blouse|Knit Cardigan|Pleated Skirt", 159, 899, 450, "Guangdong"),
    ("Menswear", "Oxford Shirt|Chino|Polo|Field Jacket", 139, 999, 600, "Zhejiang"),
    ("Shoes", "Sneaker|Loafer|Ankle Boot", 259, 1_299, 1_100, "Fujian"),
    ("Beauty", "Cleanser & Toner Set|Hand Cream|Face Serum|Lip Balm", 39, 459, 180, "Shanghai"),
    ("Home", "Ceramic Mug|Duvet Cover|Scented Candle|Salt & Pepper Mill", 29, 599, 900, "Jiangxi"),
    ("Food", "Longjing Tea|Almond Biscuits|Dark Chocolate", 19, 199, 350, "Yunnan"),
    ("Electronics", "Earbuds|Power Bank|Desk Lamp", 99, 1_599, 500, "Guangdong"),
    ("Accessories", "Silk Scarf|Leather Belt|Tote Bag|Sunglasses", 49, 699, 250, "Jiangsu"),
]
ADJECTIVES = "Classic|Light|Urban|Nordic|Everyday|Studio|Heritage|Soft|Summer"

PLATFORMS = ["wechat", "douyin", "xiaohongshu"]
CAMPAIGNS = ["new-year", "members-week", "spring-preview", "always-on"]
COMMENTS: list[tuple[int, str]] = [
    # the satisfaction (1 to 5) the comment goes with
    (1, "Far too late.\nNobody answered the phone.\n\nI want my money back."),
    (2, "Box damaged, goods fine; still, not what I expect"),
    (2, "快递太慢了,\n客服态度一般。"),
    (3, "ok"),
    (4, 'Nice quality, "true to size" as they say.'),
    (4, "质量不错,下次还会再来"),
    (5, "Perfect!\nWrapped with care,\ncame a day early."),
    (5, "非常满意,推荐给朋友!"),
]
