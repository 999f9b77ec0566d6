-- Browser sessions of the dashboard that were logged out before their cookie's time. A session is signed, not stored; only its end is,
-- by the SHA-256 of its id, so that a log-out outlives the process that served it. Neither shown by /db nor copied into the mirror.
create table ops.ended_sessions (
    digest      bytea primary key check (length(digest) = 32),
    ended_at    timestamptz not null,
    -- When the cookie ends by itself: afterwards the row says nothing any more.
    cookie_ends timestamptz not null
);
