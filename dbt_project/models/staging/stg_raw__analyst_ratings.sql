{{ versions('analyst_ratings', ['symbol', 'rating_id'],
    ['symbol', 'rating_id', 'firm', 'analyst', 'action', 'rating_current', 'rating_prior', 'target_action',
     'target_current', 'target_prior', 'currency', 'importance', 'rated_at', 'updated_at']) }}
