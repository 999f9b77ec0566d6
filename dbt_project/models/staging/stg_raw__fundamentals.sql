{{ versions('fundamentals', ['entity', 'concept', 'unit', 'frequency', 'event_date', 'period_days', 'accession'],
    ['entity', 'symbol', 'cik', 'taxonomy', 'concept', 'unit', 'frequency', 'period_start', 'period_days', 'value',
     'filed', 'form', 'accession']) }}
