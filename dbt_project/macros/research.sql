{#- Models of signal research. A figure belongs to a window of days after a signal, and changes when something in the window
    does: what has to be told again are windows that end in the first changed session or later. Where a name trades again
    after a pause, that is what followed its last bar before it: it is no longer a name that is gone. -#}
{% macro note_windows(model, longest) -%}
    {%- if execute and is_incremental() -%}
    {%- set from_session = reprocess_from(model) -%}
    {{ remember('first_no_' ~ model, "
        select min(first_no) from (
            select session_no as first_no from " ~ ref('int_sessions') ~ " where session = " ~ from_session ~ "
            union all
            select sessions.session_no + 1
            from (
                select
                    (
                        select max(earlier.session) from " ~ ref('daily_returns') ~ " as earlier
                        where earlier.security_id = traded.security_id and earlier.session < " ~ from_session ~ "
                    ) as session
                from (
                    select distinct security_id from " ~ ref('daily_returns') ~ " where session >= " ~ from_session ~ "
                ) as traded
            ) as last_bars
            inner join " ~ ref('int_sessions') ~ " as sessions on last_bars.session = sessions.session
        ) as firsts") }};
    {{ remember('signals_from_' ~ model, "
        select min(session) from " ~ ref('int_sessions') ~ "
        where session_no >= " ~ first_window_end(model) ~ " - " ~ longest) }}
    {%- endif -%}
{%- endmacro %}

{#- Number of the session in which the first window ends that is told again. -#}
{% macro first_window_end(model) -%}
    {{ remembered('first_no_' ~ model, 'integer') }}
{%- endmacro %}

{#- First session whose signals have such a window. -#}
{% macro signals_from(model) -%}
    {{ remembered('signals_from_' ~ model, 'date') }}
{%- endmacro %}

{% macro delete_windows(model) -%}
    {%- if execute and is_incremental() -%}
    delete from {{ this }} as told
    using {{ ref('int_sessions') }} as sessions
    where told.session = sessions.session
        and told.session >= {{ signals_from(model) }}
        and sessions.session_no + told.to_day >= {{ first_window_end(model) }}
    {%- endif -%}
{%- endmacro %}

{#- Every dataset a signal or a price comes from. -#}
{% macro research_datasets() -%}
    {{ return(['prices', 'corporate_actions', 'securities', 'universe', 'fundamentals', 'filings', 'politician_trades',
        'lobbying', 'gov_contracts', 'insider_buying', 'dc_insider_scores', 'app_reviews', 'google_trends', 'wiki_views',
        'reddit_mentions', 'news_headlines', 'analyst_ratings']) }}
{%- endmacro %}

{#- Rank of a value among the rows of a group, 1 for the lowest, equals their mean rank: half way between the first rank of
    the equals and the last, which is how many rows are not above them. Both go over one order of the rows. -#}
{% macro mean_rank(value, group) -%}
    ((rank() over (partition by {{ group }} order by {{ value }})
        + count(*) over (partition by {{ group }} order by {{ value }})) / 2.0)
{%- endmacro %}

{#- Correlation of two mean ranks from centred sums; NULL where one of them does not differ. -#}
{% macro rank_correlation(products, a_squares, b_squares) -%}
    case when {{ a_squares }} > 0 and {{ b_squares }} > 0
        then cast(least(greatest({{ products }} / sqrt({{ a_squares }} * {{ b_squares }}), -1), 1) as double precision) end
{%- endmacro %}
