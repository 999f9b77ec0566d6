{#- The common table expression `candidates` out of one with (session, decision_at, security_id, value): names known at
    the decision that traded in the session, with the symbol they had then. Options, funds and notes that are neither a
    stock nor an ETF are no candidates. `columns` are passed on. -#}
{% macro tradable(relation, asset_classes=['stock', 'etf'], columns=[]) -%}
candidates as (
    select
        {%- for column in columns %}
        {{ relation }}.{{ column }},
        {%- endfor %}
        {{ relation }}.session,
        {{ relation }}.security_id,
        versions.symbol,
        {{ significant(relation ~ '.value') }} as score
    from {{ relation }}
    inner join {{ ref('int_security_versions') }} as versions
        on {{ relation }}.security_id = versions.security_id
        and {{ relation }}.decision_at >= versions.known_from
        and {{ relation }}.decision_at < versions.known_to
    inner join {{ ref('daily_returns') }} as bars
        on {{ relation }}.security_id = bars.security_id
        and {{ relation }}.session = bars.session
    where versions.asset_class in ({{ literals(asset_classes) }})
)
{%- endmacro %}

{#- The condition that a symbol means the security that held it on a date. -#}
{% macro held_on(symbols, day) -%}
    {{ decision_time(day) }} >= {{ symbols }}.valid_from
    and {{ decision_time(day) }} < {{ symbols }}.valid_to
{%- endmacro %}

{#- The common table expression `capped` out of one with (session, security_id): (session, security_id, market_cap) in USD, for
    those whose number of shares was known. The number is that of the newest statement known, of all classes, and not older
    than some 13 months; splits since the day it was counted on are made up for. -#}
{% macro capped(relation) -%}
statements as (
    select
        entities.security_id,
        filed.session as from_session,
        lead(filed.session) over (
            partition by entities.security_id order by filed.session, filed.entity
        ) as until_session,
        filed.shares,
        filed.shares_on
    from {{ ref('int_fundamentals_ttm') }} as filed
    inner join {{ ref('int_fundamental_entities') }} as entities on filed.entity = entities.entity
    where filed.shares > 0
),

capped as (
    select
        {{ relation }}.session,
        {{ relation }}.security_id,
        max(bars.close) * max(statements.shares) * exp(coalesce(sum(ln(splits.ratio)), 0)) as market_cap
    from {{ relation }}
    inner join {{ ref('daily_returns') }} as bars
        on {{ relation }}.security_id = bars.security_id
        and {{ relation }}.session = bars.session
    inner join statements
        on {{ relation }}.security_id = statements.security_id
        and {{ relation }}.session >= statements.from_session
        and {{ relation }}.session < coalesce(statements.until_session, cast('9999-12-31' as date))
        and {{ relation }}.session < statements.from_session + 400
    left join {{ ref('int_corporate_actions_mapped') }} as splits
        on {{ relation }}.security_id = splits.security_id
        and splits.ratio <> 1
        and splits.ex_date > statements.shares_on
        and splits.ex_date <= {{ relation }}.session
    group by {{ relation }}.session, {{ relation }}.security_id
)
{%- endmacro %}
