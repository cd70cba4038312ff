-- Derived from data_contracts/canonical/marketing_spend.yaml by `onedata derive`; do not edit.
with delivered as (
    select * from {{ lake('marketing_spend') }}
)

select
    cast(spend_date as date) as spend_date,
    platform,
    campaign_id,
    adset_id,
    cast(impressions as bigint) as impressions,
    cast(clicks as bigint) as clicks,
    cast(spend as decimal(18,4)) as spend,
    currency,
    source_system,
    _feed,
    _file,
    coalesce(_edition, 1) as _edition,
    _row,
    _arrived_at,
    _batch,
    _mapped,
    _priority,
    _repaired,
    _extra,
    ds
from delivered
