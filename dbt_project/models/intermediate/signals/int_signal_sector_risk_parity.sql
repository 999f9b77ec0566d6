{{ signal_config('int_signal_sector_risk_parity', ['prices', 'corporate_actions', 'securities']) }}
-- Total return of the sector ETFs since the last session of the week 26 weeks before.
{{ weeks_momentum('int_signal_sector_risk_parity', var('sector_etfs'), 26) }}

{{ ranked_signal('sector_risk_parity') }}
