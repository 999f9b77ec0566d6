{{ versions('universe', ['index_name', 'symbol', 'event', 'effective_date'],
    ['index_name', 'symbol', 'event', 'effective_date', 'is_assumed', 'weight', 'security_name']) }}
