{#- What the models call a figure, and under which names filings state it: (item, kind, order, concept). Of several names the
    first one counts that has a value for the period asked for: companies change names, and an old one just stops. -#}
{% macro fundamental_items() -%}
{%- set names = {
    'revenue': ['RevenueFromContractWithCustomerExcludingAssessedTax', 'Revenues',
                'RevenueFromContractWithCustomerIncludingAssessedTax', 'SalesRevenueNet'],
    'gross_profit': ['GrossProfit'],
    'cost': ['CostOfGoodsAndServicesSold', 'CostOfRevenue', 'CostOfGoodsSold'],
    'overhead': ['SellingGeneralAndAdministrativeExpense'],
    'operating_income': ['OperatingIncomeLoss'],
    'depreciation': ['DepreciationDepletionAndAmortization', 'DepreciationAmortizationAndAccretionNet',
                     'DepreciationAndAmortization'],
    'pretax_income': ['IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest',
        'IncomeLossFromContinuingOperationsBeforeIncomeTaxesMinorityInterestAndIncomeLossFromEquityMethodInvestments'],
    'tax': ['IncomeTaxExpenseBenefit'],
    'net_income': ['NetIncomeLoss', 'ProfitLoss'],
    'operating_cash_flow': ['NetCashProvidedByUsedInOperatingActivities',
                            'NetCashProvidedByUsedInOperatingActivitiesContinuingOperations'],
    'capital_expenditure': ['PaymentsToAcquirePropertyPlantAndEquipment', 'PaymentsToAcquireProductiveAssets'],
    'cash': ['CashAndCashEquivalentsAtCarryingValue'],
    'securities': ['MarketableSecuritiesCurrent', 'ShortTermInvestments'],
    'receivables': ['AccountsReceivableNetCurrent', 'ReceivablesNetCurrent'],
    'current_assets': ['AssetsCurrent'],
    'property': ['PropertyPlantAndEquipmentNet'],
    'assets': ['Assets'],
    'current_liabilities': ['LiabilitiesCurrent'],
    'liabilities': ['Liabilities'],
    'debt_current': ['LongTermDebtCurrent'],
    'debt_noncurrent': ['LongTermDebtNoncurrent'],
    'debt_long': ['LongTermDebt'],
    'debt_short': ['CommercialPaper', 'ShortTermBorrowings'],
    'equity': ['StockholdersEquity', 'StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest'],
    'retained_earnings': ['RetainedEarningsAccumulatedDeficit'],
    'shares_cover': ['EntityCommonStockSharesOutstanding'],
    'shares_diluted': ['WeightedAverageNumberOfDilutedSharesOutstanding'],
} -%}
{%- set rows = [] -%}
{%- for item, concepts in names.items() -%}
    {%- for concept in concepts -%}
        {%- do rows.append("('" ~ item ~ "', " ~ loop.index ~ ", '" ~ concept ~ "')") -%}
    {%- endfor -%}
{%- endfor -%}
values {{ rows | join(', ') }}
{%- endmacro %}

{#- The items that are sums over a period. -#}
{% macro fundamental_flows() -%}
    {{ return(['revenue', 'gross_profit', 'cost', 'overhead', 'operating_income', 'depreciation', 'pretax_income', 'tax',
               'net_income', 'operating_cash_flow', 'capital_expenditure']) }}
{%- endmacro %}

{#- The items that hold at the end of a period. -#}
{% macro fundamental_balances() -%}
    {{ return(['cash', 'securities', 'receivables', 'current_assets', 'property', 'assets', 'current_liabilities',
               'liabilities', 'debt_current', 'debt_noncurrent', 'debt_long', 'debt_short', 'equity',
               'retained_earnings']) }}
{%- endmacro %}

{#- Versions of the figures of filings and pages; `only` as in versions(). -#}
{% macro fundamental_versions(only=none) -%}
{{ versions('fundamentals', ['entity', 'concept', 'unit', 'frequency', 'event_date', 'period_days', 'accession'],
    ['entity', 'symbol', 'cik', 'taxonomy', 'concept', 'unit', 'frequency', 'period_start', 'period_days', 'value',
     'filed', 'form', 'accession'], only=only) }}
{%- endmacro %}

{#- Entities of which figures came in, and those whose company or symbol the register states something new about. -#}
{% macro new_fundamental_entities(model) -%}
{{ entities_of(model, 'fundamentals') }}
union
select 'cik' || cik from {{ source('raw', 'securities') }}
where row_id > {{ new_row(model, 'securities') }} and cik is not null
union
select figures.entity
from {{ source('raw', 'fundamentals') }} as figures
inner join (
    select distinct symbol from {{ source('raw', 'securities') }} where row_id > {{ new_row(model, 'securities') }}
) as stated on figures.symbol = stated.symbol
{%- endmacro %}
