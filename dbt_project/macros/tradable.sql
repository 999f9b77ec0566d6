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
    {%- if is_incremental() %}
        and bars.session >= {{ reprocess_from(this.name) }}
    {%- endif %}
)
{%- endmacro %}

{#- The condition that a symbol means the security that held it on a date. -#}
{% macro held_on(symbols, day) -%}
    {{ decision_time(day) }} >= {{ symbols }}.valid_from
    and {{ decision_time(day) }} < {{ symbols }}.valid_to
{%- endmacro %}
