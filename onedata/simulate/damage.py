"""Injects defects into the records of a feed's night at the configured rates and records each one.

Method: a record is chosen if its uniform number is below the rate. The few chosen records are copied out, changed, and
put back together with the duplicates and the late records by one gather, so the cost of a night hardly depends on the
rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from onedata.simulate.defects import FLAGS, LATE_WEIGHTS, TARGET_KINDS, Feed, Target
from onedata.simulate.draws import Bools, Draws, Ints
from onedata.simulate.shares import DefectRates
from onedata.simulate.text import compact

DAY_US = 86_400_000_000

SPARED_NIGHTS = 30
"""So long no other version of a held record is broken: a newer one that is quarantined would not supersede the old
one."""

GATE_ROWS = 25
"""At light rates at most one record in so many (4%) is quarantined, so that no gate stops a small night for one bad
row."""


@dataclass(frozen=True)
class _Held:
    """Records of one feed that are delivered on a later night, with all their flags."""

    feed: str
    arrival: int
    frame: pl.DataFrame


@dataclass
class _Night:
    """The records of one feed and night, and their changes; every frame in it has ``_row``, a position in ``frame``."""

    feed: Feed
    night: int
    frame: pl.DataFrame
    types: dict[str, pl.DataType]
    spared: pl.Series
    taken: Bools
    gone: list[Ints] = field(default_factory=list)
    replaced: list[pl.DataFrame] = field(default_factory=list)
    added: list[pl.DataFrame] = field(default_factory=list)
    """Records to be put in after ``_row``."""

    def written(self) -> pl.DataFrame:
        """The records to write, in file order."""
        rows = self.frame.height
        extra = pl.concat(
            [_fit(part, self.types) for part in (*self.replaced, *self.added)] or [pl.DataFrame()], how="diagonal"
        )
        source = pl.concat([_fit(self.frame, self.types), pl.DataFrame(schema=FLAGS)], how="diagonal").with_columns(
            _due_night=pl.lit(self.night, pl.Int64)
        )
        if extra.is_empty() and not self.gone:
            return source
        order = np.arange(rows)
        changed = sum(part.height for part in self.replaced)
        at = extra["_row"].to_numpy() if extra.height else np.empty(0, np.int64)
        order[at[:changed]] = rows + np.arange(changed)
        for gone in self.gone:
            order[gone] = -1
        order = np.insert(order, at[changed:] + 1, rows + changed + np.arange(len(at) - changed))
        # Not in one piece: it would hold the night three times in memory.
        source = pl.concat([source, extra.drop("_row", "_part", strict=False)], how="diagonal")
        return source[order[order >= 0]].select(pl.exclude(*FLAGS), *FLAGS)


class DefectMaker:
    """Injects defects into feeds night after night; it holds the records that are delivered on later nights.

    Call `apply` once per night and feed, also for feeds without records, in the order of the nights.
    """

    def __init__(self, draws: Draws, rates: DefectRates, feeds: Sequence[Feed]) -> None:
        self._draws = draws
        self._rates = rates
        self._feeds = {feed.name: feed for feed in feeds}
        self._held: list[_Held] = []
        self._spared: dict[str, list[tuple[int, pl.Series]]] = {feed.name: [] for feed in feeds}
        light = DefectRates.light()
        self._capped = all(rates.of(kind) <= light.of(kind) for kind in TARGET_KINDS)

    def apply(self, feed: str, night: int, frame: pl.DataFrame) -> pl.DataFrame:
        """The records to write on ``night``, one row per record in file order, with `FLAGS` after the columns of
        ``frame``.

        ``frame`` is as the feed made it, with ``_key``, ``_file`` and, if the feed has versions, ``_will_change``. A
        column that can get a value of another type is text in every night, so column types do not depend on chance.
        Raises ValueError for a feed that is not among its feeds.
        """
        known = self._feed(feed)
        targets = [target for target in known.targets if self._rates.of(target.kind) > 0]
        self._spared[feed] = [(last, keys) for last, keys in self._spared[feed] if last >= night]
        spared = pl.concat([pl.Series("_key", [], dtype=pl.String), *(keys for _, keys in self._spared[feed])])
        now = _Night(known, night, frame, _types(frame, targets), spared, np.zeros(frame.height, dtype=np.bool_))
        arrivals = self._arrivals(now)
        ends = self._repeat(now) if known.resent else pl.DataFrame()
        now.added += [part for part in (arrivals, ends) if part.height]
        if known.late:
            self._hold_back(now)
        room = self._room(now, arrivals.height)
        for kind in TARGET_KINDS:
            room = self._break(now, kind, [target for target in targets if target.kind == kind], room)
        return now.written()

    def still_held(self) -> pl.DataFrame:
        """The records not delivered yet, one row each: feed, _key, _due_night, arrival_night, _defect.

        ``_defect`` is late, out_of_order or correction; for a correction, the wrong record was written on
        ``_due_night``.
        """
        schema = {
            "feed": pl.String,
            "_key": pl.String,
            "_due_night": pl.Int64,
            "arrival_night": pl.Int64,
            "_defect": pl.String,
        }
        parts = [
            held.frame.with_columns(feed=pl.lit(held.feed), arrival_night=pl.lit(held.arrival, pl.Int64)).select(
                *schema
            )
            for held in self._held
        ]
        return pl.concat([pl.DataFrame(schema=schema), *parts]).sort("feed", "arrival_night", "_due_night", "_key")

    def file_defects(self, feed: str, night: int, files: int) -> pl.DataFrame:
        """Defects of whole files of the night, at most one per file: file (Int32, from 0), kind, what, expected."""
        known = self._feed(feed)
        taken = np.zeros(files, dtype=np.bool_)
        parts = [pl.DataFrame(schema={"file": pl.Int32, "kind": pl.String, "what": pl.String, "expected": pl.String})]
        for kind, (what, expected) in known.file_damage.items():
            rows = np.flatnonzero(
                self._draws.chance(f"defect {kind} {feed}", files, self._rates.of(kind), night) & ~taken
            )
            taken[rows] = True
            parts.append(
                pl.DataFrame({"file": rows.astype(np.int32)}).with_columns(
                    kind=pl.lit(kind), what=pl.lit(what), expected=pl.lit(expected)
                )
            )
        return pl.concat(parts).sort("file")

    def encode(self, frame: pl.DataFrame, text: str) -> pl.Series:
        """Encode the lines in column ``text`` as bytes (Binary): UTF-8, except the bad_encoding rows, which are
        Latin-1, or GB18030 if Latin-1 cannot represent the line.

        Raises ValueError if such a line is valid UTF-8 all the same, for example because its text was escaped.
        """
        lines = frame[text].cast(pl.Binary)
        rows = (frame["_defect"] == "bad_encoding").arg_true()
        if rows.is_empty():
            return lines
        # Polars writes no encoding but UTF-8, so the few chosen lines are encoded one by one.
        foreign = [_foreign(line) for line in frame[text].gather(rows)]
        readable = [line for line in foreign if _is_utf8(line)]
        if readable:
            raise ValueError(f"the line has no text that could be written in another encoding: {readable[0][:200]!r}")
        return lines.clone().scatter(rows, pl.Series(foreign, dtype=pl.Binary))

    def _feed(self, name: str) -> Feed:
        if name not in self._feeds:
            raise ValueError(f"feed must be one of {', '.join(self._feeds)}, got {name!r}")
        return self._feeds[name]

    def _pick(self, now: _Night, kind: str, only: pl.Expr) -> pl.DataFrame:
        """The rows chosen for ``kind`` that have no defect yet, with ``_row`` and ``_part``, a separate uniform
        number."""
        rate = self._rates.of(kind)
        if rate == 0 or now.frame.is_empty():
            return now.frame.head(0).with_columns(_row=pl.lit(0, pl.Int64), _part=pl.lit(0.0))
        uniform = self._draws.uniform(f"defect {kind} {now.feed.name}", now.frame.height, now.night)
        rows = np.flatnonzero(uniform < rate)
        rows = rows[~now.taken[rows]]
        picked = now.frame[rows].with_columns(
            _row=pl.Series(rows, dtype=pl.Int64), _part=pl.Series(uniform[rows] / rate)
        )
        return picked.filter(only & ~pl.col("_key").is_in(now.spared.implode()))

    def _repeat(self, now: _Night) -> pl.DataFrame:
        """Put immediate duplicates after their record; returns those for the end of a file, which must be added
        last."""
        picked = self._pick(now, "duplicate", pl.lit(True))
        if picked.is_empty():
            return picked
        now.taken[picked["_row"].to_numpy()] = True
        at_end = pl.Series(
            self._draws.chance(f"defect duplicate {now.feed.name} at end", picked.height, 0.5, now.night)
        )
        now.added.insert(
            0, _flag(picked.filter(~at_end), now, "duplicate", "the record again, at once after itself", "duplicate")
        )
        ends = _flag(picked.filter(at_end), now, "duplicate", "the record again, at the end of the file", "duplicate")
        files = now.frame["_file"].to_numpy()
        last = np.zeros(files.max() + 1, dtype=np.int64)
        last[files] = np.arange(len(files))  # of several values for one position NumPy keeps the last
        return ends.with_columns(_row=pl.Series(last[ends["_file"].to_numpy()]))

    def _hold_back(self, now: _Night) -> None:
        """Remove the late and the out-of-order records."""
        changes = pl.col("_will_change").fill_null(False) if "_will_change" in now.frame.columns else pl.lit(False)
        # A late old version could be delivered after the newer one: that is out_of_order, with another expectation.
        late = self._pick(now, "late", ~changes)
        now.taken[late["_row"].to_numpy()] = True
        nights = 1 + self._draws.choose(f"defect late {now.feed.name} nights", late.height, LATE_WEIGHTS, now.night)
        self._hold(now, _flag(late, now, "late", "the record comes {} after its own", "accept_late"), nights)
        old = self._pick(now, "out_of_order", changes)
        now.taken[old["_row"].to_numpy()] = True
        nights = 2 + self._draws.below(f"defect out_of_order {now.feed.name} nights", old.height, 2, now.night)
        self._hold(
            now,
            _flag(old, now, "out_of_order", "the old version comes {} late, after a newer one", "superseded"),
            nights,
        )
        now.gone += [part["_row"].to_numpy() for part in (late, old) if part.height]

    def _hold(self, now: _Night, picked: pl.DataFrame, nights: Ints) -> None:
        """Hold records, flagged, for the given number of nights, which replaces ``{}`` in their ``_what``."""
        if picked.is_empty():
            return
        picked = compact(picked.drop("_row", "_part"))
        self._spared[now.feed.name].append((now.night + SPARED_NIGHTS, picked["_key"]))
        for delay in np.unique(nights).tolist():
            said = pl.col("_what").str.replace("{}", "1 night" if delay == 1 else f"{delay} nights", literal=True)
            self._held.append(
                _Held(now.feed.name, now.night + delay, picked.filter(pl.Series(nights == delay)).with_columns(said))
            )

    def _arrivals(self, now: _Night) -> pl.DataFrame:
        """The held records that are due, each with the record of the night that it follows."""
        due = [held.frame for held in self._held if held.feed == now.feed.name and held.arrival <= now.night]
        if not due:
            return pl.DataFrame()
        self._held = [held for held in self._held if held.feed != now.feed.name or held.arrival > now.night]
        came = pl.concat([_fit(frame, now.types) for frame in due], how="diagonal_relaxed")
        if now.frame.is_empty():
            return came.with_columns(_file=pl.lit(0, pl.Int32), _row=pl.lit(-1, pl.Int64))
        after = self._draws.below(f"defect place {now.feed.name}", came.height, now.frame.height, now.night)
        return came.with_columns(now.frame["_file"].gather(after), _row=pl.Series(after))

    def _room(self, now: _Night, arrivals: int) -> int:
        """How many records of the night may be broken such that they are quarantined; at rates above light, any
        number."""
        rows = now.frame.height - sum(len(gone) for gone in now.gone) + arrivals
        return rows // GATE_ROWS if self._capped else rows

    def _break(self, now: _Night, kind: str, targets: Sequence[Target], room: int) -> int:
        """Break records by all targets of one kind, which share its rate evenly; returns the remaining quota."""
        if not targets or now.frame.is_empty():
            return room
        picked = self._pick(now, kind, pl.lit(True))
        seconds = (
            300 + self._draws.below(f"defect {kind} {now.feed.name} by", picked.height, 10_501, now.night)
        ) * 1_000_000
        fast = self._draws.chance(f"defect {kind} {now.feed.name} fast", picked.height, 0.5, now.night)
        picked = picked.with_columns(_skew=pl.Series(np.where(fast, seconds, -seconds), dtype=pl.Int64))
        for number, target in enumerate(targets):
            sound = picked.filter((pl.col("_part") * len(targets)).floor() == number)
            sound, broken = _broken(sound, target, now)
            if target.expected == "quarantine":
                sound, broken = sound.head(room), broken.head(room)
                room -= broken.height
            now.taken[broken["_row"].to_numpy()] = True
            now.replaced.append(broken)
            if kind == "correction":
                self._correct(now, sound, target)
        return room

    def _correct(self, now: _Night, sound: pl.DataFrame, target: Target) -> None:
        """Keep the correct values of records written wrong; their version time advances by as many days as they are
        late."""
        nights = 1 + self._draws.below(
            f"defect correction {now.feed.name} {target.column} nights", sound.height, 3, now.night
        )
        right = _flag(sound, now, "correction", "the right record, {} after the wrong one", "accept", target)
        self._hold(now, right.with_columns(pl.col(target.version) + pl.Series(nights * DAY_US)), nights)


def _broken(picked: pl.DataFrame, target: Target, now: _Night) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records of ``picked`` that the target can break, before and after; a value that would not change is
    excluded."""
    if target.kind == "correction" and "_will_change" in picked.columns:
        picked = picked.filter(~pl.col("_will_change").fill_null(False))
    picked = picked.filter(target.only)
    column, kind = target.column, now.types[target.column]
    if target.kind == "bad_encoding":
        # Some Chinese characters encoded as GB18030 are also valid UTF-8, so a text is tested before it counts as
        # broken.
        texts = picked[column].cast(pl.String).fill_null("")
        picked = broken = picked.filter(pl.Series([_is_foreign(text) for text in texts], dtype=pl.Boolean))
    else:
        value = picked.with_columns(_value=target.value.cast(kind))
        changes = value.select(pl.col("_value").ne_missing(pl.col(column).cast(kind))).to_series()
        picked = picked.filter(changes)
        broken = value.filter(changes).drop(column).rename({"_value": column})
    return picked.drop("_skew"), _flag(broken.drop("_skew"), now, target.kind, target.what, target.expected, target)


def _types(frame: pl.DataFrame, targets: Sequence[Target]) -> dict[str, pl.DataType]:
    """The types of the columns if they must hold their broken values as well."""
    types = dict(frame.schema)
    nothing = frame.head(0).with_columns(_skew=pl.lit(0, pl.Int64))
    for target in targets:
        if target.column in types and target.kind != "bad_encoding":
            old, new = types[target.column], nothing.select(target.value).dtypes[0]
            fits = (
                new in (old, pl.Null)
                or (new.is_integer() and old.is_signed_integer())
                or (new.is_numeric() and old.is_float())
            )
            types[target.column] = old if fits else pl.String()
    return types


def _fit(frame: pl.DataFrame, types: dict[str, pl.DataType]) -> pl.DataFrame:
    found = frame.schema  # computed anew on each access
    return frame.cast({name: kind for name, kind in types.items() if name in found and found[name] != kind})


def _flag(
    frame: pl.DataFrame, now: _Night, kind: str, what: str, expected: str, target: Target | None = None
) -> pl.DataFrame:
    said = (
        kind,
        what,
        expected,
        (target.feed if target else "") or now.feed.name,
        target.column if target else None,
        now.night,
    )
    return frame.with_columns(
        pl.lit(value, dtype).alias(name) for value, (name, dtype) in zip(said, FLAGS.items(), strict=True)
    )


def _foreign(line: str) -> bytes:
    """The line as written by a system without UTF-8: Latin-1, or GB18030 if it has characters outside Latin-1."""
    return line.encode("latin-1" if max(line, default="") <= "ÿ" else "gb18030")


def _is_foreign(text: str) -> bool:
    """Whether a line with the text is invalid UTF-8, whichever encoding the rest of the line requires."""
    return not _is_utf8(_foreign(text)) and not _is_utf8(text.encode("gb18030"))


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
