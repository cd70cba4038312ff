"""The dbt project of a retailer with entities or columns of its own: the shipped project, with the ODS views and macros
derived from all entities.

It is assembled in the data home by each process that parses it: the shipped project may be read-only.
"""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from onedata.contracts.derive import derived_files
from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Entity
from onedata.durable import make_folders, move_aside, write_durably

PARTS = ("*.yml", "macros/**/*.sql", "models/**/*.sql", "models/**/*.yml", "seeds/**/*.csv", "seeds/**/*.yml")
"""What dbt reads of the shipped project; a checkout may also hold what dbt has written."""


@contextmanager
def assembled(shipped: Path, project: Path, entities: Mapping[str, Entity], policy: IdentifierPolicy) -> Iterator[None]:
    """Within it, the project is whole and its own: no other process changes it.

    A file is replaced by a rename and only if it differs, so a killed process leaves nothing half: the next one
    completes it. dbt parses within; a run later reads only seeds from it, which are the shipped ones.

    Args:
        shipped: The shipped project, which is only read.
        project: The folder to assemble; files in it that do not belong to the project are moved aside, beside it.
        entities: All entities, shipped and own.
        policy: The retailer's identifier policy.
    """
    make_folders(project)
    with (project.parent / "project.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        _assemble(project, wanted_files(shipped, entities, policy))
        yield


def wanted_files(shipped: Path, entities: Mapping[str, Entity], policy: IdentifierPolicy) -> dict[str, bytes]:
    """Path below the project to content."""
    copied = {
        file.relative_to(shipped).as_posix(): file.read_bytes() for part in PARTS for file in sorted(shipped.glob(part))
    }
    return copied | {name: text.encode() for name, text in derived_files(entities, policy).items()}


def _assemble(project: Path, wanted: Mapping[str, bytes]) -> None:
    there = {file.relative_to(project).as_posix(): file for file in project.rglob("*") if file.is_file()}
    unknown = [there[name] for name in sorted(there.keys() - wanted.keys())]
    # A hidden file is dbt's mark of its user, or what a killed process left half written.
    for file in (file for file in unknown if file.name.startswith(".")):
        file.unlink()
    visible = [file for file in unknown if not file.name.startswith(".")]
    move_aside(visible, project, project.with_name("project-aside"))
    for name, content in wanted.items():
        if name not in there or there[name].read_bytes() != content:
            make_folders((project / name).parent)
            write_durably(project / name, content)
