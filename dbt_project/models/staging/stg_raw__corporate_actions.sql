{{ versions('corporate_actions', ['symbol', 'action', 'event_date', 'ordinal'],
    ['symbol', 'action', 'ratio', 'amount', 'currency', 'ordinal']) }}
