{{ signal_config('int_signal_leveraged_sector', ['prices', 'corporate_actions', 'securities']) }}
-- Total return of the leveraged ETFs since the last session of the week 13 weeks before.
{{ weeks_momentum('int_signal_leveraged_sector', var('leveraged_etfs'), 13) }}

{{ ranked_signal('leveraged_sector') }}
