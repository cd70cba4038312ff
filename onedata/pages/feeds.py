"""The feeds' pages in docs/feeds, derived from contracts and canonical entities by `onedata derive`. Pure, except
`write_pages`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onedata.contracts.derived import MARK, write_files
from onedata.contracts.model import Feed
from onedata.pages import template

INDEX = "README.md"
UNITS = {"d": "day", "m": "month", "y": "year"}


@dataclass(frozen=True)
class FeedPage:
    """A feed, its cadence and retention in words, and the fields that fill no column."""

    feed: Feed
    comes: str
    kept: str
    unmapped: Sequence[str]


def feed_pages(feeds: Iterable[Feed]) -> dict[str, str]:
    """File name (below docs/feeds) to content: one page per feed, and the index by source system."""
    known = sorted(feeds, key=lambda feed: (feed.system, feed.name))
    pages = [_page(feed, known) for feed in known]
    index = template.render("feeds.md.j2", pages=pages, mark=MARK)
    return {INDEX: index} | {
        f"{page.feed.name}.md": template.render("feed.md.j2", page=page, feed=page.feed, mark=MARK) for page in pages
    }


def write_pages(folder: Path, feeds: Iterable[Feed]) -> list[Path]:
    """Write the pages and remove those of deleted feeds; returns the changes.

    Raises:
        ContractError: the path of a page is taken by a file that onedata did not derive; nothing was changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return write_files({folder / name: content for name, content in feed_pages(feeds).items()}, folder.glob("*.md"))


def _page(feed: Feed, feeds: Sequence[Feed]) -> FeedPage:
    return FeedPage(feed, _frequency(feed), _retention(feed), unmapped(feed, feeds))


def unmapped(feed: Feed, feeds: Iterable[Feed]) -> list[str]:
    """Fields that the contract declares and no column uses."""
    read = {name for other in feeds if other.contract == feed.contract for name in other.source_fields}
    return sorted(feed.known_fields - read)


def _frequency(feed: Feed) -> str:
    if feed.every_days is None:
        return "whenever it comes"
    return "every night" if feed.every_days == 1 else f"every {feed.every_days} days"


def _retention(feed: Feed) -> str:
    if not feed.retention:
        return "ever: the contract sets no end"
    count, unit = feed.retention.split()
    return f"{count} {UNITS[unit]}{'' if count == '1' else 's'}"


def facts(feed: Feed) -> Mapping[str, str]:
    """A feed's facts for the Dagster UI, in the same words as its page."""
    return {"owner": feed.owner, "comes": _frequency(feed), "kept for": _retention(feed)}
