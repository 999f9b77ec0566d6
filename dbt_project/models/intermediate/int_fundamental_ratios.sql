{{ scores_config('int_fundamental_ratios', [{'columns': ['score_date', 'security_id']}]) }}
-- Measures of the statements known at each scored date, one row per security and date, rounded to 10 significant digits;
-- each NULL where a part is missing.
--
-- piotroski_f  Piotroski (2000), "Value Investing: The Use of Historical Financial Statement Information", Journal of
--              Accounting Research 38: nine signals of 0 or 1, assets at the ends of the years. Signals that cannot be told
--              (no current balances, no gross profit) are left out and the rest is scaled to nine; at least six are needed.
-- altman_z     Altman (1968), "Financial Ratios, Discriminant Analysis and the Prediction of Corporate Bankruptcy", Journal
--              of Finance 23: 1.2 working capital + 1.4 retained earnings + 3.3 EBIT + 1.0 sales, over assets, and 0.6
--              market value over liabilities. Not for financials.
-- roic         Operating income after tax over equity and debt less cash; the tax rate is the year's, between 0 and 50 %.
--              Pre-tax income stands in where no operating income is stated.
-- beneish_m    Beneish (1999), "The Detection of Earnings Manipulation", Financial Analysts Journal 55, eight variables.
--              The asset quality, depreciation and overhead indices are 1 where they cannot be told. Not for financials.
with dates as (
    select
        session,
        decision_at
    from {{ ref('int_sessions') }}
    where (is_month_end or session = (select max(session) from {{ ref('int_sessions') }}))
    {% if is_incremental() %}
        and session >= {{ reprocess_from('int_fundamental_ratios') }}
    {% endif %}
),

reports as (
    select
        entities.security_id,
        statements.*,
        lead(statements.session) over (partition by entities.security_id, statements.entity order by statements.session)
            as next_session
    from {{ ref('int_fundamentals_ttm') }} as statements
    inner join {{ ref('int_fundamental_entities') }} as entities on statements.entity = entities.entity
    {% if is_incremental() %}
    -- of older ones no period is recent enough
    where statements.session > {{ reprocess_from('int_fundamental_ratios') }} - 700
    {% endif %}
),

known as (
    select *
    from (
        select
            reports.*,
            dates.session as score_date,
            dates.decision_at as score_at,
            row_number() over (
                partition by reports.security_id, dates.session order by reports.period_end desc, reports.entity
            ) as newest_first
        from reports
        inner join dates
            on reports.session <= dates.session
            and (reports.next_session is null or reports.next_session > dates.session)
            -- a company that files no more has no figures of today
            and reports.period_end > dates.session - 300
    ) as ranked
    where newest_first = 1
),

split as (
    select
        known.security_id,
        known.score_date,
        exp(sum(ln(actions.ratio))) as ratio
    from known
    inner join {{ ref('int_corporate_actions_mapped') }} as actions
        on known.security_id = actions.security_id
        and actions.ex_date > known.shares_before_on
        and actions.ex_date <= known.shares_on
    where actions.ratio <> 1
    group by known.security_id, known.score_date
),

prepared as (
    select
        known.*,
        caps.market_cap,
        coalesce(versions.sector, '') = 'Financials' as is_financial,
        coalesce(known.long_debt, 0) as debt,
        coalesce(known.long_debt_before, 0) as debt_before,
        known.shares_before * coalesce(split.ratio, 1) as shares_then,
        coalesce(known.operating_income, known.pretax_income) as ebit,
        case
            -- least() and greatest() would make a rate of 0 of a tax nobody stated
            when known.pretax_income > 0 and known.tax is not null then least(greatest(known.tax / known.pretax_income, 0), 0.5)
            when known.pretax_income <= 0 then 0
        end as tax_rate,
        known.equity + coalesce(known.long_debt, 0) + coalesce(known.short_debt, 0) - coalesce(known.cash, 0)
            as invested_capital
    from known
    left join split on known.security_id = split.security_id and known.score_date = split.score_date
    left join {{ ref('int_market_caps') }} as caps
        on known.security_id = caps.security_id
        and known.score_date = caps.session
        {%- if is_incremental() %}
        and caps.session >= {{ reprocess_from('int_fundamental_ratios') }}
        {%- endif %}
    left join {{ ref('int_security_versions') }} as versions
        on known.security_id = versions.security_id
        and known.score_at >= versions.known_from
        and known.score_at < versions.known_to
),

signals as (
    select
        *,
        case when net_income > 0 then 1 when net_income <= 0 then 0 end as f_profit,
        case when operating_cash_flow > 0 then 1 when operating_cash_flow <= 0 then 0 end as f_cash,
        case
            when net_income / nullif(assets, 0) > net_income_before / nullif(assets_before, 0) then 1
            when net_income / nullif(assets, 0) <= net_income_before / nullif(assets_before, 0) then 0
        end as f_return,
        case when operating_cash_flow > net_income then 1 when operating_cash_flow <= net_income then 0 end as f_accruals,
        case
            when debt = 0 or debt / nullif(assets, 0) < debt_before / nullif(assets_before, 0) then 1
            when debt / nullif(assets, 0) >= debt_before / nullif(assets_before, 0) then 0
        end as f_leverage,
        case
            when current_assets / nullif(current_liabilities, 0)
                > current_assets_before / nullif(current_liabilities_before, 0) then 1
            when current_assets / nullif(current_liabilities, 0)
                <= current_assets_before / nullif(current_liabilities_before, 0) then 0
        end as f_liquidity,
        -- a thousandth more is rounding and options
        case when shares <= shares_then * 1.001 then 1 when shares > shares_then * 1.001 then 0 end as f_shares,
        case
            when gross_profit / nullif(revenue, 0) > gross_profit_before / nullif(revenue_before, 0) then 1
            when gross_profit / nullif(revenue, 0) <= gross_profit_before / nullif(revenue_before, 0) then 0
        end as f_margin,
        case
            when revenue / nullif(assets, 0) > revenue_before / nullif(assets_before, 0) then 1
            when revenue / nullif(assets, 0) <= revenue_before / nullif(assets_before, 0) then 0
        end as f_turnover,
        -- Beneish's indices
        (receivables / nullif(revenue, 0)) / nullif(receivables_before / nullif(revenue_before, 0), 0) as dsri,
        (gross_profit_before / nullif(revenue_before, 0)) / nullif(gross_profit / nullif(revenue, 0), 0) as gmi,
        coalesce(
            (1 - (current_assets + property) / nullif(assets, 0))
            / nullif(1 - (current_assets_before + property_before) / nullif(assets_before, 0), 0),
            1
        ) as aqi,
        revenue / nullif(revenue_before, 0) as sgi,
        coalesce(
            (depreciation_before / nullif(depreciation_before + property_before, 0))
            / nullif(depreciation / nullif(depreciation + property, 0), 0),
            1
        ) as depi,
        coalesce(
            (overhead / nullif(revenue, 0)) / nullif(overhead_before / nullif(revenue_before, 0), 0), 1
        ) as sgai,
        (net_income - operating_cash_flow) / nullif(assets, 0) as tata,
        ((debt + current_liabilities) / nullif(assets, 0))
        / nullif((debt_before + current_liabilities_before) / nullif(assets_before, 0), 0) as lvgi
    from prepared
),

counted as (
    select
        *,
        {%- set names = ['profit', 'cash', 'return', 'accruals', 'leverage', 'liquidity', 'shares', 'margin', 'turnover'] %}
        {% for name in names %}coalesce(f_{{ name }}, 0){{ ' + ' if not loop.last }}{% endfor %} as f_points,
        {% for name in names %}case when f_{{ name }} is null then 0 else 1 end{{ ' + ' if not loop.last }}{% endfor %}
            as f_told
    from signals
),

measured as (
    select
        security_id,
        score_date,
        entity,
        period_end,
        filed,
        is_financial,
        market_cap,
        case when f_told >= 6 then cast(9 as double precision) * f_points / f_told end as piotroski_f,
        case
            when not is_financial and assets > 0 and liabilities > 0
                then (
                    1.2 * (current_assets - current_liabilities) + 1.4 * retained_earnings + 3.3 * ebit + revenue
                ) / assets + 0.6 * market_cap / liabilities
        end as altman_z,
        case when invested_capital > 0 then ebit * (1 - tax_rate) / invested_capital end as roic,
        (operating_cash_flow - capital_expenditure) / nullif(market_cap, 0) as cash_flow_yield,
        case
            when not is_financial
                then -4.84 + 0.920 * dsri + 0.528 * gmi + 0.404 * aqi + 0.892 * sgi + 0.115 * depi - 0.172 * sgai
                    + 4.679 * tata - 0.327 * lvgi
        end as beneish_m,
        net_income / nullif(market_cap, 0) as earnings_yield,
        equity / nullif(market_cap, 0) as book_yield
    from counted
)

select
    security_id,
    score_date,
    entity,
    period_end,
    filed,
    is_financial,
    market_cap
    {%- for name in ['piotroski_f', 'altman_z', 'roic', 'cash_flow_yield', 'beneish_m', 'earnings_yield', 'book_yield'] %},
    {{ significant(name) }} as {{ name }}
    {%- endfor %}
from measured
