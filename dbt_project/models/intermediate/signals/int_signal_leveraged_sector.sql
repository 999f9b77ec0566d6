{{ signal_config('int_signal_leveraged_sector', ['prices', 'corporate_actions', 'securities']) }}
-- Total return of the leveraged ETFs since the last session of the week 13 weeks before.
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
        now_.adj_close / before.adj_close - 1 as return_13_weeks
    from weeks as week_now
    inner join weeks as week_before on week_before.week_no = week_now.week_no - 13
    inner join {{ ref('daily_returns') }} as now_ on now_.session = week_now.session
    inner join {{ ref('daily_returns') }} as before
        on before.session = week_before.session
        and before.security_id = now_.security_id
    where now_.symbol in ({{ literals(var('leveraged_etfs')) }})
    {% if is_incremental() %}
        and week_now.session >= {{ reprocess_from('int_signal_leveraged_sector') }}
    {% endif %}
),

candidates as (
    select
        session,
        security_id,
        symbol,
        {{ significant('return_13_weeks') }} as score
    from returns
)

{{ ranked_signal('leveraged_sector') }}
