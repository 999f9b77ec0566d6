{#- Fresh planner statistics on PostgreSQL; DuckDB keeps its own. -#}
{% macro analyze_relation(relation) -%}
    {%- if target.type == 'postgres' -%} analyze {{ relation }} {%- endif -%}
{%- endmacro %}

{#- The same for raw tables that changed by more than a twentieth since they were last analysed. -#}
{% macro analyze_sources() -%}
    {%- if target.type == 'postgres' and execute -%}
    do $$
    declare
        stale record;
    begin
        for stale in
            select relname from pg_stat_user_tables
            where schemaname = 'raw' and n_mod_since_analyze > 100 + n_live_tup / 20
        loop
            execute format('analyze raw.%I', stale.relname);
        end loop;
    end $$
    {%- endif -%}
{%- endmacro %}

{#- Indexes are for PostgreSQL; DuckDB scans faster than it maintains them. -#}
{% macro pg_indexes(indexes) -%}
    {{ return(indexes if target.type == 'postgres' else []) }}
{%- endmacro %}

{#- One polynomial in Horner's form, highest coefficient first. -#}
{% macro horner(x, coefficients) -%}
    {%- set ns = namespace(text='cast(' ~ coefficients[0] ~ ' as double precision)') -%}
    {%- for c in coefficients[1:] -%}
        {%- set ns.text = '(' ~ ns.text ~ ' * ' ~ x ~ ' + ' ~ c ~ ')' -%}
    {%- endfor -%}
    {{ ns.text }}
{%- endmacro %}

{#- The normal distribution function of a score; NULL stays NULL. Neither engine's erf is the other's (DuckDB has none):
    W. J. Cody's rational approximations of erf and erfc (1969), good to the last digits of a double. -#}
{% macro normal_cdf(score) -%}
    {%- set x = '(abs(' ~ score ~ ') * 0.70710678118654752440)' -%}
    {%- set xx = '(' ~ score ~ ' * ' ~ score ~ ' / 2.0)' -%}
    {%- set a = ['1.85777706184603153e-1', '3.16112374387056560e00', '1.13864154151050156e02', '3.77485237685302021e02', '3.20937758913846947e03'] -%}
    {%- set b = ['1.0', '2.36012909523441209e01', '2.44024637934444173e02', '1.28261652607737228e03', '2.84423683343917062e03'] -%}
    {%- set c = ['2.15311535474403846e-8', '5.64188496988670089e-1', '8.88314979438837594e0', '6.61191906371416295e01', '2.98635138197400131e02', '8.81952221241769090e02', '1.71204761263407058e03', '2.05107837782607147e03', '1.23033935479799725e03'] -%}
    {%- set d = ['1.0', '1.57449261107098347e01', '1.17693950891312499e02', '5.37181101862009858e02', '1.62138957456669019e03', '3.29079923573345963e03', '4.36261909014324716e03', '3.43936767414372164e03', '1.23033935480374942e03'] -%}
    {%- set p = ['1.63153871373020978e-2', '3.05326634961232344e-1', '3.60344899949804439e-1', '1.25781726111229246e-1', '1.60837851487422766e-2', '6.58749161529837803e-4'] -%}
    {%- set q = ['1.0', '2.56852019228982242e00', '1.87295284992346725e00', '5.27905102951428412e-1', '6.05183413124413191e-2', '2.33520497626869185e-3'] -%}
    {%- set far = '(1.0 / ' ~ xx ~ ')' -%}
    {%- set tail -%}
        (case when {{ x }} <= 4.0 then exp(-{{ xx }}) * {{ horner(x, c) }} / {{ horner(x, d) }}
              when {{ x }} > 26.0 then cast(0 as double precision)
              else exp(-{{ xx }}) / {{ x }}
                   * (0.56418958354775628695 - {{ far }} * {{ horner(far, p) }} / {{ horner(far, q) }}) end)
    {%- endset -%}
    (case when {{ score }} is null then null
          when {{ x }} <= 0.46875
              then 0.5 + 0.5 * {{ score }} * 0.70710678118654752440 * {{ horner(xx, a) }} / {{ horner(xx, b) }}
          when {{ score }} > 0 then 1 - 0.5 * {{ tail }}
          else 0.5 * {{ tail }} end)
{%- endmacro %}
