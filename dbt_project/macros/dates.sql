{#- Dates where engines differ. A new engine adds its own version of each. -#}

{#- Table expression with one column, date_day: every day from first to last, both included. -#}
{% macro date_series(first, last) -%}{{ adapter.dispatch('date_series')(first, last) }}{%- endmacro %}
{% macro duckdb__date_series(first, last) -%}
(
    select cast(day_at as date) as date_day
    from generate_series(date '{{ first }}', date '{{ last }}', interval 1 day) as days (day_at)
)
{%- endmacro %}

{#- Whole days from one date to a later one. -#}
{% macro days_between(earlier, later) -%}{{ adapter.dispatch('days_between')(earlier, later) }}{%- endmacro %}
{% macro duckdb__days_between(earlier, later) -%}date_diff('day', {{ earlier }}, {{ later }}){%- endmacro %}

{#- The instant a number of days before another. -#}
{% macro days_earlier(instant, days) -%}{{ adapter.dispatch('days_earlier')(instant, days) }}{%- endmacro %}
{% macro duckdb__days_earlier(instant, days) -%}{{ instant }} - interval {{ days }} day{%- endmacro %}

{#- The instant a number of hours after another. -#}
{% macro hours_later(instant, hours) -%}{{ adapter.dispatch('hours_later')(instant, hours) }}{%- endmacro %}
{% macro duckdb__hours_later(instant, hours) -%}{{ instant }} + interval {{ hours }} hour{%- endmacro %}

{#- Seconds between two instants, whichever is earlier; a part of a second is a whole one. -#}
{% macro seconds_between(one, other) -%}{{ adapter.dispatch('seconds_between')(one, other) }}{%- endmacro %}
{% macro duckdb__seconds_between(one, other) -%}
cast(ceil(abs(date_diff('microsecond', {{ one }}, {{ other }})) / 1000000) as bigint)
{%- endmacro %}

{#- Number of the stretch of time, so many minutes long, that an instant is in. -#}
{% macro time_bucket(instant, minutes) -%}{{ adapter.dispatch('time_bucket')(instant, minutes) }}{%- endmacro %}
{% macro duckdb__time_bucket(instant, minutes) -%}
cast(floor(epoch({{ instant }}) / ({{ minutes }} * 60)) as bigint)
{%- endmacro %}

{#- Month of a date, as text YYYY-MM. -#}
{% macro month_label(day) -%}{{ adapter.dispatch('month_label')(day) }}{%- endmacro %}
{% macro duckdb__month_label(day) -%}strftime({{ day }}, '%Y-%m'){%- endmacro %}

{#- Year that a date's ISO 8601 week belongs to. -#}
{% macro iso_year(day) -%}{{ adapter.dispatch('iso_year')(day) }}{%- endmacro %}
{% macro duckdb__iso_year(day) -%}extract(isoyear from {{ day }}){%- endmacro %}

{#- Day of the week, 1 Monday to 7 Sunday. -#}
{% macro iso_weekday(day) -%}{{ adapter.dispatch('iso_weekday')(day) }}{%- endmacro %}
{% macro duckdb__iso_weekday(day) -%}extract(isodow from {{ day }}){%- endmacro %}

{#- The instant (UTC) at which a day ends in a time zone. -#}
{% macro end_of_day(day, zone) -%}{{ adapter.dispatch('end_of_day')(day, zone) }}{%- endmacro %}
{% macro duckdb__end_of_day(day, zone) -%}
timezone('UTC', timezone('{{ zone }}', cast({{ day }} + interval 1 day as timestamp)))
{%- endmacro %}

{#- IANA name of the retailer's own time zone, and the day that the setting as_of names; '' where it is not set. -#}
{% macro retailer_zone() -%}{{ env_var('ONEDATA_TIME_ZONE', 'Asia/Shanghai') }}{%- endmacro %}
{% macro as_of_setting() -%}{{ env_var('ONEDATA_AS_OF', '') }}{%- endmacro %}
