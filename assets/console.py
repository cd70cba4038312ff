"""Console output of a run: the messages of the stages, without Dagster's own events, and on a terminal its progress."""

import logging
import sys

import dagster as dg

from onedata.masking import mask_error
from onedata_assets.progress import Progress

NOISE = ("Dependencies for step", "A dbt subsetted execution")
CONFIG = {
    "seconds": dg.Field(
        {str: float},
        is_required=False,
        description="What each step of the last run took. With it, a line tells what is running and what is left.",
    )
}
ENDS = ("STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED")
OVER = ("PIPELINE_SUCCESS", "PIPELINE_FAILURE", "PIPELINE_CANCELED")


class _Spoken(logging.Filter):
    """Passes messages of ops; Dagster's own events are only in its event log."""

    def filter(self, record: logging.LogRecord) -> bool:
        meta = getattr(record, "dagster_meta", None) or {}
        skipped = str(meta.get("orig_message", "")).startswith(NOISE)
        return not meta.get("dagster_event") and not skipped and record.levelno >= logging.INFO


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", None) or {}
        step = meta.get("step_key")
        text = meta.get("orig_message") or record.getMessage()
        line = f"  {step}: {text}" if step and not str(text).startswith(str(step)) else f"  {text}"
        return mask_error(line)


class _AboveProgress(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes each message where the line of the progress was, which is drawn again below it."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(sys.stderr)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        with self._progress.cleared():
            super().emit(record)


class _Steps(logging.Handler):
    """Tells the progress which step begins and which ends."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        event = (getattr(record, "dagster_meta", None) or {}).get("dagster_event")
        if event is None:
            return
        if event.event_type_value == "STEP_START":
            self._progress.begin(event.step_key)
        elif event.event_type_value in ENDS:
            self._progress.end(event.step_key)
        elif event.event_type_value in OVER:
            self._progress.close()


def _console(context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("onedata")
    seconds = (context.logger_config or {}).get("seconds")
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if seconds is not None and context.job_def:
        progress = Progress(sys.stderr, len(context.job_def.nodes), seconds)
        logger.addHandler(_Steps(progress))
        handler = _AboveProgress(progress)
    handler.addFilter(_Spoken())
    handler.setFormatter(_Line())
    logger.addHandler(handler)
    return logger


console_logger = dg.LoggerDefinition(_console, config_schema=CONFIG, description="One line per stage.")
