{#- Names of the models that make signals: PAS_SIGNAL_MODELS, names (or file names) with spaces between. dbt must know
    what a model reads when it parses, and cannot look for files then: pas_lib/dbt.py does. -#}
{% macro signal_models() -%}
    {%- set names = [] -%}
    {%- for name in env_var("PAS_SIGNAL_MODELS", "").split() -%}
        {%- do names.append(name | replace(".sql", "")) -%}
    {%- endfor -%}
    {%- if execute and not names -%}
        {{ exceptions.raise_compiler_error("PAS_SIGNAL_MODELS is empty: run `pas build`, or set it to the names of the int_signal_* models") }}
    {%- endif -%}
    {{ return(names) }}
{%- endmacro %}

{#- The candidates of a strategy on funds: total return since the last session of the week so many weeks before. -#}
{% macro weeks_momentum(model, symbols, weeks) -%}
with weeks as (
    select
        session,
        row_number() over (order by session) as week_no
    from {{ ref('int_sessions') }}
    where is_week_end
),

returns as (
    select
        now_.session,
        now_.security_id,
        now_.symbol,
        now_.adj_close / before.adj_close - 1 as total_return
    from weeks as week_now
    inner join weeks as week_before on week_before.week_no = week_now.week_no - {{ weeks }}
    inner join {{ ref('daily_returns') }} as now_ on now_.session = week_now.session
    inner join {{ ref('daily_returns') }} as before
        on before.session = week_before.session
        and before.security_id = now_.security_id
    where now_.symbol in ({{ literals(symbols) }})
    {% if is_incremental() %}
        and week_now.session >= {{ reprocess_from(model) }}
    {% endif %}
),

candidates as (
    select
        session,
        security_id,
        symbol,
        {{ significant('total_return') }} as score
    from returns
)
{%- endmacro %}
