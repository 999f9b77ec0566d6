{{ versions('gov_contracts', ['contract_id', 'modification', 'action_date', 'ordinal'],
    ['contract_id', 'modification', 'symbol', 'matched_by', 'recipient', 'amount', 'amount_kind', 'agency',
     'sub_agency', 'award_type', 'description', 'is_defence', 'action_date', 'announced_date', 'ordinal'],
    subject=['symbol', 'action_date', 'agency']) }}
