{% set ties = {'lines': 'total_amount', 'payments': 'total_amount', 'net': 'worth_amount'} %}

with documents as (
    select * from {{ ref('dws_order_tie') }}
),

tolerances as (
    {{ tie_tolerances(ties | list) }}
),

compared as (
    {%- for tie, amount in ties.items() %}
    select
        source_system,
        feed,
        business_date,
        coalesce(currency, 'XXX') as currency,
        '{{ tie }}' as tie,
        {{ tie }}_tie as verdict,
        coalesce({{ tie }}_reason, '') as reason,
        {{ amount }} as amount,
        {{ tie }}_difference as difference
    from documents
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

summed as (
    select
        source_system,
        feed,
        business_date,
        currency,
        tie,
        verdict,
        reason,
        count(*) as document_count,
        sum(amount) as amount,
        sum(difference) as difference,
        coalesce(sum(abs(amount)) filter (where verdict <> 'missing'), 0) as compared_amount,
        coalesce(sum(abs(difference)) filter (where verdict = 'differing'), 0) as differing_amount
    from compared
    group by source_system, feed, business_date, currency, tie, verdict, reason
),

-- Of a day's money that can be compared, what differs.
judged as (
    select
        summed.*,
        coalesce(tolerances.tolerance, 0) as tolerance,
        sum(summed.compared_amount) over one_day as day_compared_amount,
        sum(summed.differing_amount) over one_day as day_differing_amount
    from summed
    left join tolerances on summed.feed = tolerances.feed and summed.tie = tolerances.tie
    window one_day as (
        partition by summed.source_system, summed.feed, summed.business_date, summed.currency, summed.tie
    )
)

select
    source_system,
    feed,
    business_date,
    currency,
    tie,
    verdict,
    reason,
    document_count,
    cast(amount as decimal(18, 4)) as amount,
    cast(difference as decimal(18, 4)) as difference,
    cast(differing_amount as decimal(18, 4)) as differing_amount,
    cast(day_compared_amount as decimal(18, 4)) as day_compared_amount,
    cast(day_differing_amount as decimal(18, 4)) as day_differing_amount,
    tolerance,
    day_differing_amount <= tolerance * day_compared_amount as is_within_tolerance
from judged
