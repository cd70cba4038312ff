"""Remove older publications, but only those that onedata's own manifest proves."""

import shutil
from pathlib import Path

from onedata.durable import replace_durably
from onedata.settings import Settings
from onedata.warehouse.publications import (
    MANIFEST,
    Publication,
    Say,
    alone,
    current_publication,
    numbered_folders,
    publications,
    publications_folder,
    read_publication,
)


def prune(settings: Settings, kept: int, say: Say) -> list[int]:
    """Remove older publications: all but the newest of each of the last `kept` nights, and the served one.

    Only a folder whose manifest names every file in it is removed; anything else stays and is reported. A reader that
    has a file open keeps it.

    Returns:
        The removed numbers.
    """
    with alone(settings):
        known = {publication.number: publication for publication in publications(settings)}
        newest = {publication.night: number for number, publication in known.items()}
        stays = {newest[night] for night in sorted(newest)[-kept:]} if kept > 0 else set()
        served = current_publication(settings)
        removed = []
        for number, publication in known.items():
            if number in stays or (served and number == served.number):
                continue
            foreign = _foreign(publication)
            if foreign:
                unknown = f"{foreign[0]} is no file that onedata published"
                say(f"{publication.folder} is not removed: {unknown}; move it away")
                continue
            replace_durably(publication.folder, publication.folder.with_name(f".removed-{publication.folder.name}"))
            removed.append(number)
        for folder in publications_folder(settings).glob(".removed-*"):
            shutil.rmtree(folder)
    for folder in numbered_folders(settings):
        if read_publication(folder) is None:
            say(f"{folder} is not removed: it has no {MANIFEST} of its number; move it away")
    return removed


def _foreign(publication: Publication) -> list[Path]:
    known = {publication.folder / name for name in (*publication.files, MANIFEST)}
    folders = {parent for path in known for parent in path.parents}
    return [path for path in sorted(publication.folder.rglob("*")) if path not in known and path not in folders]
