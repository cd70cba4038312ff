"""Balances from DWD to ADS: every order line and refund and their money, through movements, orders, channel days and
customers; parcels, stock, and the KPIs.

Which models have balances, and which totals agree, the models' YAML declares (`balances`). Base amounts are recomputed
from the amounts in their own currency by the rates of their days, rounded where the models round.
"""

from collections.abc import Sequence

from onedata.contracts.totals import currency_code
from onedata.quality.balances import Balance, declared_balances, relation_of
from onedata.quality.flows import Total, flow, flow_by_reason, side, side_by_currency
from onedata.sql import quote_text

REPORTING_CURRENCY = "{{ reporting_currency() }}"
"""Stands for the reporting currency in the SQL of balances, as in models."""
BY_MONTH = (
    "if(grouping(in_month) = 1, 'all', coalesce(in_month, 'no day'))",
    "grouping sets ((in_month), ())",
)


def layer_balances(layer: str, currency: str) -> list[str]:
    """The queries of the balances that the models of `layer` (dws, ads) declare; all base amounts are in the reporting
    currency `currency`.

    Raises:
        BalanceError: a model's YAML declares a balance that cannot be drawn.
    """
    return [_query(balance, currency) for balance in declared_balances(layer)]


def _query(balance: Balance, currency: str) -> str:
    ends = (balance.layer, balance.source, balance.model)
    if balance.rows:
        unit = currency_code(balance.currency) if balance.currency else quote_text(currency)
        return flow_by_reason(*ends, relation_of(balance.source), _filled(balance.rows, currency), unit, balance.placed)
    source = f"({_filled(balance.relation, currency)})" if balance.relation else relation_of(balance.source)
    entered: list[Total] = [(measure.name, measure.unit, measure.entered) for measure in balance.measures]
    left: list[Total] = [(measure.name, measure.unit, measure.left) for measure in balance.measures]
    of_source, of_model = None, None
    if balance.day:
        source = f"(select *, strftime({balance.day}, '%Y-%m') as in_month from {source})"
        of_source, of_model = BY_MONTH, ("coalesce(period, 'no day')", "period")

    def drawn(relation: str, measures: Sequence[Total], period: tuple[str, str] | None) -> str:
        if balance.currency:
            return side_by_currency(relation, balance.currency, measures)
        return side(relation, currency, measures, period)

    return flow(
        *ends,
        drawn(source, entered, of_source),
        drawn(balance.table, left, of_model),
        *((reason, drawn(f"(from {source} where {where})", entered, of_source)) for reason, where in _outside(balance)),
    )


def _filled(sql: str, currency: str) -> str:
    return sql.replace(f"'{REPORTING_CURRENCY}'", quote_text(currency))


def _outside(balance: Balance) -> list[tuple[str, str]]:
    """Reason and condition of the rows of the source that the model leaves out."""
    found = [balance.excluded] if balance.excluded else []
    if balance.needs:
        reason = f"{balance.needs} is empty, so that the figure is not available"
        found.append((reason, f"not exists (from {relation_of(balance.needs)})"))
    return found
