-- Named tokens of the API, beside the two of the settings. Only the SHA-256 of a token is kept: it has 256 random bits, so that
-- nothing slower is needed. Neither shown by /db nor copied into the mirror.
create table ops.tokens (
    token_id   text primary key check (token_id ~ '^[a-z0-9]{12}$'),
    name       text not null check (name ~ '^[a-z][a-z0-9_.-]{1,39}$'),
    scope      text not null check (scope in ('read', 'trade', 'admin')),
    digest     bytea not null check (length(digest) = 32),
    created_at timestamptz not null,
    created_by text not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    revoked_by text,
    note       text not null default ''
);

-- A name may be given again once its token was revoked: the audit tells them apart by the time.
create unique index tokens_one_of_a_name on ops.tokens (name) where revoked_at is null;
