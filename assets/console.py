"""Console output of a run: the messages of the stages, without Dagster's own events."""

import logging
import sys

import dagster as dg

from onedata.masking import mask_error

NOISE = ("Dependencies for step", "A dbt subsetted execution")


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


def _console(_: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("onedata")
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Spoken())
    handler.setFormatter(_Line())
    logger.addHandler(handler)
    return logger


console_logger = dg.LoggerDefinition(_console, description="One line per stage.")
