"""Whether the parts of one feed fit together. Pure."""

from onedata.contracts.mistakes import known
from onedata.contracts.model import ContractError, Feed, needed, references, results
from onedata.contracts.sums import check_sums


def check_feed(feed: Feed, where: str) -> None:
    """Check the consistency of a feed's parts.

    Raises:
        ContractError: a part contradicts another.
    """
    mapped = [item.column.name for item in feed.fields]
    for name in mapped:
        if mapped.count(name) > 1:
            raise ContractError(f"{where}: {name} is mapped twice")
    wanted = [column.name for column in feed.entity.columns if column.required or column.name in feed.entity.key]
    missing = [name for name in wanted if name not in mapped]
    if missing:
        them = "it" if len(missing) == 1 else "them"
        raise ContractError(f"{where}: {feed.entity.name} requires {', '.join(missing)}, and no property maps {them}")
    for rule in feed.rules:
        known(rule.columns, [column.name for column in feed.entity.columns], f"{where}: quality rule {rule.name}")
    identity = any("{row_identity}" in (item.logic or "") for item in feed.fields)
    if identity != feed.content_key:
        raise ContractError(f"{where}: {{row_identity}} and rowKey: content belong together")
    _check_results(feed, where)
    check_sums(feed, where)
    if not any(references(item) for item in feed.fields):
        raise ContractError(f"{where}: no property reads a source field")


def _check_results(feed: Feed, where: str) -> None:
    """Check that every result that a property uses is that of another mapped property, and that none needs itself."""
    uses = {item.column.name: results(item) for item in feed.fields}
    identities = {item.column.name for item in feed.fields if "{row_identity}" in (item.logic or "")}
    for item in feed.fields:
        place = f"{item.place}: transformLogic: result of"
        known(results(item), list(uses), place)
        if not identities.isdisjoint(results(item)):
            raise ContractError(f"{place}: the identity of a row is known only when everything else is")
    left = {item.column.name: needed(item) for item in feed.fields}
    while left:
        ready = [name for name, before in left.items() if left.keys().isdisjoint(before)]
        if not ready:
            raise ContractError(
                f"{where}: {', '.join(sorted(left))} need the results of one another: none can be first"
            )
        left = {name: before for name, before in left.items() if name not in ready}
