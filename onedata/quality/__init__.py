"""Quality gates: contract and model YAML -> neutral rules -> Great Expectations. The only place that imports Great
Expectations."""

from onedata.quality.results import CheckResult, GateClosed, record, summarise

__all__ = ["CheckResult", "GateClosed", "record", "summarise"]
