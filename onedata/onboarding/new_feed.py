"""Scaffold a contract from a sample file: sniff it, choose the entity, write the YAML beside the other contracts."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onedata.contracts import ContractError, Entity, Feed, load_entities, load_feeds
from onedata.contracts.load import read_contract
from onedata.errors import OnedataError, require_known
from onedata.onboarding.match import Fit, known_mappings, rank
from onedata.onboarding.sample import Sniffed, SniffError
from onedata.onboarding.scaffold import Draft, contract_text, path_pattern
from onedata.onboarding.sniff import sniff
from onedata.readers.excel import NotASheet, to_parquet
from onedata.settings import Settings
from onedata.shipped import shipped
from onedata.sources.unpack import Unreadable, is_packed, unpack

NAME = re.compile("[a-z][a-z0-9_]*")


class ScaffoldError(OnedataError):
    """The contract cannot be written as requested; the message gives the reason and the fix."""


@dataclass(frozen=True)
class Scaffold:
    """The new contract, and the entities in the order of their fit; the first was used unless one was given.

    `skipped` holds the contracts of the folder that do not load, such as other drafts, with the reason.
    """

    file: Path
    fit: Fit
    ranking: Sequence[Fit]
    path: str
    skipped: Sequence[tuple[str, str]] = ()


def scaffold(
    settings: Settings, sample: Path, name: str, entity: str | None, path: str | None, system: str | None
) -> Scaffold:
    """Write `<contracts>/<name>.odcs.yaml` for files like `sample`.

    Args:
        settings: Location of contracts and source files. The contracts there, and the shipped ones, show which fields
            fill which columns elsewhere.
        sample: A delivered file.
        name: The feed's name.
        entity: The canonical entity that it fills; None for the best fit.
        path: Path pattern of the feed's files below the source folder; None to derive it from the sample's path.
        system: The source system; None for the first word of the name.

    Raises:
        ScaffoldError: the name is invalid, the contract or feed exists already, the entity does not exist, or the
            sample fits no entity.
        SniffError: no reader supports the sample.
    """
    file = settings.contracts / f"{name}.odcs.yaml"
    if not NAME.fullmatch(name):
        raise ScaffoldError(f"{name!r} is no name of a feed: lower-case letters, digits and _, starting with a letter")
    if file.exists():
        raise ScaffoldError(
            f"{file} is there already and is never overwritten; choose another --name, or remove it yourself"
        )
    entities = load_entities(settings.canonical, settings.own_entities)
    own, skipped = _own(settings.contracts, entities)
    if any(feed.name == name for feed in own):
        raise ScaffoldError(f"there is a feed {name} already; choose another --name")
    require_known(entity or "", entities, "entity", f"there are {', '.join(sorted(entities))}")
    if not sample.is_file():
        raise ScaffoldError(f"no file {sample}")
    sniffed = look(sample)
    ranking = rank(sniffed.rows, entities.values(), known_mappings([*own, *_shipped(entities)]), sample.stem)
    chosen = next((replace(fit, is_sure=True) for fit in ranking if fit.entity.name == entity), ranking[0])
    if not chosen.mapped:
        names = ", ".join(item.name for item in sniffed.rows[0].fields)
        raise ScaffoldError(
            f"no field of {sample.name} ({names}) looks like a column of {entity or 'any entity'}; write the contract "
            "by hand (docs/contracts.md)"
        )
    where = path or path_pattern(_relative(settings, sample, name))[0]
    others = [fit for fit in ranking if fit.entity != chosen.entity]
    text = contract_text(
        Draft(name, system or name.split("_")[0], where, sniffed, chosen, others[0] if others else None)
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8") as stream:
        stream.write(text)
    return Scaffold(file, chosen, ranking, where, skipped)


def look(sample: Path) -> Sniffed:
    """Sniff the sample; packed files and workbooks are first opened in a temp folder."""
    with tempfile.TemporaryDirectory(prefix="onedata-sample-") as folder:
        file, notes = sample, []
        try:
            if is_packed(sample.name):
                members = unpack(sample, sample.name, Path(folder) / "unpacked")
                if not members:
                    raise SniffError(f"{sample.name} holds no file")
                first = members[0].member or sample.stem
                own = Path(folder) / "sample"
                own.mkdir()
                file = members[0].path.rename(own / Path(first).name)
                notes = (
                    [f"The sample is {first}, one of {len(members)} files in {sample.name}."]
                    if len(members) > 1
                    else []
                )
            if file.suffix.lower() == ".xlsx":
                table = Path(folder) / "sheet.parquet"
                to_parquet(file, table, None, None)
                return replace(sniff(table), format="xlsx", notes=notes)
        except (Unreadable, NotASheet) as error:
            raise SniffError(f"{sample.name}: {error}") from None
        sniffed = sniff(file)
        return replace(sniffed, notes=[*notes, *sniffed.notes])


def _own(folder: Path, entities: Mapping[str, Entity]) -> tuple[list[Feed], list[tuple[str, str]]]:
    """The feeds of the folder's contracts, and the contracts that do not load, with the reason."""
    feeds: list[Feed] = []
    skipped: list[tuple[str, str]] = []
    for file in sorted(folder.glob("*.odcs.yaml")):
        try:
            feeds += read_contract(file, entities)
        except ContractError as error:
            skipped.append((file.name, str(error)))
    return feeds, skipped


def _shipped(entities: Mapping[str, Entity]) -> list[Feed]:
    """The feeds of the shipped contracts."""
    folders = [Settings().contracts, *sorted(shipped("examples").glob("*/contracts"))]
    return [feed for folder in folders for feed in load_feeds(folder, entities)]


def _relative(settings: Settings, sample: Path, name: str) -> str:
    """The sample's path below the source folder; for a sample from elsewhere, its name in a folder named after the
    feed."""
    whole = sample.resolve()
    source = settings.source.resolve()
    return whole.relative_to(source).as_posix() if whole.is_relative_to(source) else f"{name}/{sample.name}"
