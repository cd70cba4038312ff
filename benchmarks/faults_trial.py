"""One trial: the fault injected into a copy of the home, onedata's messages, the repairs that these name, and the final
state."""

import random
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from faults_compare import differences
from faults_home import Said, World, copy_home, log_of

ROUNDS = 5
BUSY = "is being written by process"
OTHER_CAUSES = (
    "no space is left",
    BUSY,
    "is being read by",
    "has no right to",
    "mounted read-only",
    "Traceback (most recent call last)",
)
BLAMED = re.compile(
    r"(?P<file>/[^\s:,;]+)(?: \([^)]*\))? "
    r"(?:is damaged|is gone|is missing|is cut short|is no DuckDB|has other content|has [\d,]+ bytes|holds \d+ "
    r"bytes|lacks )"
)
VAULT = re.compile(
    r"(?:token\.key|vault\.duckdb)\S* (?:is missing|is damaged|holds \d+ bytes|is not the key|lacks )|/vault\S* "
    r".*Restore"
)


class Skipped(RuntimeError):
    """This machine does not support this kind of trial; the message gives the reason."""


@dataclass
class Trial:
    """State of a trial.

    `outcome` is one word for the table of results; `steps` are the repairs taken; `lost`, `half` and `wrong` are the
    errors found.
    """

    world: World
    kind: str
    folder: Path
    made: random.Random
    what: str = ""
    damaged: Path | None = None
    undo: Callable[[], object] | None = None
    outcome: str = ""
    steps: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def begin(self) -> Path:
        """The copy to disturb: the home after its first night, with the files of a second one pending; if trials share
        a home, the existing one."""
        return self.home if self.home.exists() else copy_home(self.world.one, self.folder)

    def failed(self) -> bool:
        return bool(self.lost or self.half or self.wrong)

    def told(self) -> dict[str, object]:
        """The trial's line of JSON."""
        names = ("kind", "what", "outcome", "steps", "lost", "half", "wrong")
        return {name: value for name in names if (value := getattr(self, name))} | {"seconds": round(self.seconds, 1)}


def diagnosis(trial: Trial, said: Said) -> list[str]:
    """What is wrong with onedata's message about a damaged file after a failed run; empty if it names that file and no
    other."""
    assert trial.damaged is not None
    # A message about a database may name its log too.
    own = {
        trial.damaged,
        trial.damaged.with_name(trial.damaged.name.removesuffix(".wal")),
        trial.damaged.with_name(f"{trial.damaged.name}.wal"),
    }
    names = {f"{file.parent.name}/{file.name}" for file in own}
    if sum(1 for _ in trial.world.one.rglob(trial.damaged.name)) <= 1:
        names |= {file.name for file in own}
    text = said.text.replace("\n", " ")
    found = [f"says {cause!r}" for cause in OTHER_CAUSES if cause in text]
    if not any(name in text for name in names):
        found.append(f"does not name {trial.damaged.name}")
    blamed = {match["file"] for match in BLAMED.finditer(text)}
    return found + [
        f"blames {file}"
        for file in sorted(blamed)
        if not any(str(item).startswith(file) for item in own | {trial.damaged.resolve()})
    ]


def finish(trial: Trial, said: Said) -> None:
    """From the first run after the fault to a working home, by the repairs that each refusal names; then compare every
    table."""
    for _ in range(ROUNDS):
        if said.code == 0:
            break
        step, mend = way_out(trial, said)
        trial.steps.append(step)
        if mend is None:
            trial.wrong.append(f"names no way out: {last_words(said)}")
            break
        mended = mend()
        if mended.code not in (0, 1):
            trial.steps.append(f"{step} ended with {mended.code}: {last_words(mended)}")
        said = trial.world.run(trial.home)
    if said.code:
        trial.lost.append(f"no run ends well after {trial.steps}: {last_words(said)}")
        return
    different = differences(trial.world.two, trial.home)
    trial.lost += [f"{table}: {text}" for table, text in different.items()]


def way_out(trial: Trial, said: Said) -> tuple[str, Callable[[], Said] | None]:
    """The first repair that the text names, as a word and as a function."""
    world, home, text = trial.world, trial.home, said.text
    if trial.undo is not None and (
        "no space" in text or "has no right to" in text or "cannot be read and written by user" in text
    ):
        return "mended by hand", lambda: _undone(trial)
    if "repair --from" in text:
        return "repair --from", lambda: world.command(home, "repair", "--from", str(world.backup))
    if "Dagster's file" in text and "`onedata repair`" in text:
        return "repair", lambda: world.command(home, "repair")
    if "Dagster's file" in text and "move it away" in text and trial.damaged is not None:
        return "moved away by hand", lambda: _moved_away(trial)
    if VAULT.search(text):
        return "vault restored by hand", lambda: _vault_restored(trial)
    if "`onedata rebuild`" in text:
        return "rebuild", lambda: world.command(home, "rebuild")
    if "`onedata restore`" in text:
        return "restore", lambda: _restored(trial)
    if re.search("run (it )?again", text, re.IGNORECASE):
        return "run again", lambda: Said(0, "")
    return "none named", None


def last_words(said: Said) -> str:
    return " / ".join(said.text.strip().splitlines()[-4:])[-700:]


def _undone(trial: Trial) -> Said:
    assert trial.undo is not None
    trial.undo()
    return Said(0, "")


def _moved_away(trial: Trial) -> Said:
    assert trial.damaged is not None
    trial.damaged.rename(trial.folder / f"away-{time.monotonic_ns()}")
    return Said(0, "")


def _vault_restored(trial: Trial) -> Said:
    """Restore the newest copy of the vault's files, as docs/howto/lost-vault-or-key.md says; the remains are moved
    aside."""
    vault = trial.home / "vault"
    vault.rename(trial.folder / f"vault-{time.monotonic_ns()}")
    copy_home(trial.world.one / "vault", trial.home)
    return Said(0, "")


def _restored(trial: Trial) -> Said:
    shutil.move(trial.home, trial.folder / "home-before-restore")
    return trial.world.command(trial.home, "restore", str(trial.world.backup), "--key", str(trial.world.key))


def said_by(home: Path) -> str:
    """Output of the command that was started last on this home."""
    return log_of(home).read_text(encoding="utf-8", errors="backslashreplace")
