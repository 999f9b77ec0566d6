{#- Models of signal research: sessions whose figures may have changed. A return that ends today belongs to a signal of up to
    63 sessions ago. NULL when nothing is new. -#}
{% macro research_from(model) -%}
    (
        select min(earlier.session)
        from {{ ref('int_sessions') }} as earlier
        inner join {{ ref('int_sessions') }} as changed on earlier.session_no >= changed.session_no - 64
        where changed.session = {{ reprocess_from(model) }}
    )
{%- endmacro %}

{% macro delete_researched(model) -%}
    {%- if execute and is_incremental() -%}
    delete from {{ this }} where session >= {{ research_from(model) }}
    {%- endif -%}
{%- endmacro %}

{% macro research_config(model) -%}
    {{ config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook=[
            "{{ note_new_rows('" ~ model ~ "', research_datasets()) }}",
            "{{ delete_researched('" ~ model ~ "') }}",
        ],
        post_hook="{{ mark_built('" ~ model ~ "') }}",
    ) }}
{%- endmacro %}

{#- Every dataset a signal or a price comes from. -#}
{% macro research_datasets() -%}
    {{ return(['prices', 'corporate_actions', 'securities', 'universe', 'fundamentals', 'filings', 'politician_trades',
        'lobbying', 'gov_contracts', 'insider_buying', 'dc_insider_scores', 'app_reviews', 'google_trends', 'wiki_views',
        'reddit_mentions', 'news_headlines', 'analyst_ratings']) }}
{%- endmacro %}

{#- Rank of a value among the rows of a group, 1 for the lowest, equals their mean rank. -#}
{% macro mean_rank(value, group) -%}
    (rank() over (partition by {{ group }} order by {{ value }})
        + (count(*) over (partition by {{ group }}, {{ value }}) - 1) / 2.0)
{%- endmacro %}

{#- Correlation of two mean ranks from centred sums; NULL where one of them does not differ. -#}
{% macro rank_correlation(products, a_squares, b_squares) -%}
    case when {{ a_squares }} > 0 and {{ b_squares }} > 0
        then cast(least(greatest({{ products }} / sqrt({{ a_squares }} * {{ b_squares }}), -1), 1) as double precision) end
{%- endmacro %}
