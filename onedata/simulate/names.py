"""Names of people, their spelling in e-mail addresses, and the typing errors of clerks at the till."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from onedata.simulate.draws import Floats

# The most common first. Each Chinese name has its Latin spelling.
CHINESE_FAMILY = (
    "王wang 李li 张zhang 刘liu 陈chen 杨yang 黄huang 赵zhao 吴wu 周zhou 徐xu 孙sun 马ma 朱zhu 胡hu 郭guo 何he 林lin "
    "罗luo 高gao 梁liang 郑zheng 谢xie 宋song 唐tang 许xu 邓deng 韩han 冯feng 曹cao 彭peng 曾zeng 肖xiao 田tian "
    "董dong 潘pan 袁yuan 蔡cai 蒋jiang 余yu 于yu 杜du 叶ye 程cheng 魏wei 苏su 吕lyu 丁ding 任ren 卢lu 姚yao "
    "沈shen 钟zhong 姜jiang 崔cui 谭tan 陆lu 范fan 汪wang 廖liao 石shi 金jin 韦wei 欧阳ouyang"
)
CHINESE_FEMALE = (
    "芳fang 娜na 敏min 静jing 丽li 艳yan 秀英xiuying 娟juan 霞xia 桂英guiying 晓雨xiaoyu 欣怡xinyi 梓萱zixuan "
    "诗涵shihan 雨桐yutong 佳怡jiayi 海燕haiyan 婷婷tingting 玉兰yulan 雪梅xuemei 思琪siqi 梦瑶mengyao 慧hui "
    "倩qian 琳lin 颖ying 春梅chunmei 淑珍shuzhen 丹dan 红梅hongmei 可馨kexin 一诺yinuo 语嫣yuyan 若曦ruoxi "
    "文静wenjing 小红xiaohong 美玲meiling 莉莉lili 月yue 素芬sufen"
)
CHINESE_MALE = (
    "伟wei 强qiang 磊lei 军jun 洋yang 勇yong 杰jie 涛tao 明ming 子涵zihan 浩然haoran 宇轩yuxuan 思远siyuan "
    "建国jianguo 超chao 志强zhiqiang 鹏peng 辉hui 斌bin 波bo 建华jianhua 文博wenbo 俊杰junjie 子轩zixuan "
    "天宇tianyu 国强guoqiang 海涛haitao 晨chen 立新lixin 宏hong 一鸣yiming 泽宇zeyu 嘉豪jiahao 永康yongkang "
    "德华dehua 凯kai 健jian 东东dongdong 瑞rui 承志chengzhi"
)
LATIN_FAMILY = (
    "Smith García Müller Rossi Dubois Silva Novák Jansen O'Brien Kowalski Andersson Costa Schmidt Martin Fernández "
    "Bianchi Meyer López Bernard Weber Santos Visser Nielsen Horváth Popescu Murphy Schneider Martínez Moreau Romano "
    "Fischer Petit Ferreira Bakker Johansson Wiśniewski Svoboda Kovács Wagner Sánchez Laurent Colombo Becker Girard "
    "Pereira Mulder Larsen Hansen Lindqvist Dvořák Ionescu Kelly Hoffmann Ruiz Lefèvre Ricci Schäfer Torres Fontaine "
    "Greco Nowak Korhonen Leitner Papadakis"
)
LATIN_FEMALE = (
    "Anna Elena Sophie María Olivia Zoë Clara Emma Laura Julia Lucía Giulia Camille Inês Hannah Marta Katharina Chiara "
    "Léa Sara Ingrid Eva Nora Isabel Alice Johanna Francesca Manon Beatriz Lena Agnieszka Petra Zsófia Ioana Aoife "
    "Astrid Carmen Silvia Charlotte Renée"
)
LATIN_MALE = (
    "David Marco Lukas James Pedro Thomas Hugo Daniel Martin Pablo Luca Antoine João Felix Piotr Lars Jakub Alessandro "
    "Maxime Javier Jonas Paul Erik Miguel Andrea Sebastian Nicolas Tomás Matteo Finn Krzysztof Ondřej Bence Andrei "
    "Seán Magnus Álvaro Stefan Julien René"
)
# The correct character and the homophone that a clerk picks instead.
SAME_SOUND = (
    "芳方 娜那 敏闽 静靖 丽莉 艳燕 英瑛 娟涓 霞侠 雨语 怡宜 萱宣 涵函 桐彤 燕艳 婷亭 兰岚 梅玫 "
    "琪琦 瑶遥 慧惠 倩茜 琳林 颖影 珍真 丹单 馨欣 诺糯 嫣烟 "
    "曦希 红虹 玲铃 莉丽 月悦 芬分 伟炜 强墙 磊雷 军君 洋阳 勇永 杰洁 涛滔 明铭 然燃 轩宣 远元 "
    "国果 超抄 鹏朋 辉晖 斌彬 波博 华桦 博波 宇雨 晨辰 新欣 宏洪 鸣明 豪毫 康慷 凯楷 健建 东冬 瑞睿 志智"
)

CHINESE_STREETS = (
    "Renmin Road|Jiefang Street|Zhongshan Avenue|Xinhua Lane|中山路|人民路|解放路|建设路|Heping Road|"
    "Nanjing West Road|Huaihai Road|文化路|新华路|Changjiang Road|Guangming Street|和平路|幸福路|Youyi Road|"
    "Taishan Road|朝阳路|公园路|Wuyi Road|Hubin Road|胜利路|青年路|Xueyuan Road"
)
EUROPEAN_STREETS = (
    "Hauptstraße|Bahnhofstraße|Gartenweg|Lindenstraße|Schulstraße|Rue Victor Hugo|Rue de la Paix|Avenue Foch|"
    "Rue du Moulin|Via Roma|Via Garibaldi|Corso Italia|Calle Mayor|Calle Real|Avenida del Sol|Rua Augusta|Kerkstraat|"
    "Molenweg|Dorpsstraat|Storgatan|Skolgatan|Ulica Polna|Ulica Leśna|Hlavní|Nádražní|Church Street"
)

# Domain and its one-letter typo; no typo is the domain of a real address.
CHINESE_DOMAINS = (
    ("qq.com", "qq.con"),
    ("163.com", "163.co"),
    ("126.com", "126.cm"),
    ("gmail.com", "gmai.com"),
    ("outlook.com", "outlok.com"),
)
LATIN_DOMAINS = (
    ("gmail.com", "gmai.com"),
    ("outlook.com", "outlok.com"),
    ("yahoo.com", "yaho.com"),
    ("gmx.net", "gmx.ne"),
    ("web.de", "wev.de"),
)


@dataclass(frozen=True)
class Names:
    """One row per name: as written, in lower-case ASCII, and as a clerk mistypes it (never equal to ``written``)."""

    written: pl.Series
    latin: pl.Series
    mistyped: pl.Series


def spelled(lists: Sequence[str]) -> Names:
    """The names of several lists, concatenated; a list is names separated by spaces."""
    names = [_split(name) for names in lists for name in names.split()]
    return Names(
        pl.Series("written", [written for written, _ in names]),
        pl.Series("latin", [latin for _, latin in names]),
        pl.Series("mistyped", [_mistyped(written) for written, _ in names]),
    )


def zipf(count: int) -> Floats:
    """Weights of ``count`` names, the most common first.

    Method: Zipf-Mandelbrot (Mandelbrot 1953), 1 / (rank + 2.7): the first Chinese family name gets 9%, as in the
    census.
    """
    weights: Floats = 1.0 / (np.arange(count, dtype=np.float64) + 3.7)
    return weights


def _split(name: str) -> tuple[str, str]:
    chinese = re.fullmatch(r"([\u4e00-\u9fff]+)([a-z]+)", name)
    return (chinese[1], chinese[2]) if chinese else (name, _plain(name).lower().replace("'", ""))


def _plain(name: str) -> str:
    """Remove accents."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


def _mistyped(name: str) -> str:
    """Replace a Chinese character by a homophone; a Latin name loses its accents, or its third letter."""
    if re.match(r"[\u4e00-\u9fff]", name):
        other = {pair[0]: pair[1] for pair in SAME_SOUND.split()}
        return name[:-1] + other.get(name[-1], name[-1] * 2)
    return _plain(name) if _plain(name) != name else name[:2] + name[3:]
