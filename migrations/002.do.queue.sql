-- The waiting line, when PostgreSQL keeps it. One row per concert is the ticket machine and the lock of its line;
-- one row per place.

create table queues (
  concert_id  int primary key references concerts (id),
  issued      bigint not null default 0,
  serving     bigint not null default 0,
  -- Sessions that take a place inside now: kept here, under the lock, because a count would read an older snapshot.
  active      int not null default 0 check (active >= 0),
  -- Fans that the rate lets in right now, refilled with time, at most one second's worth.
  allowance   double precision not null default 0,
  refilled_at timestamptz not null default now(),
  check (serving <= issued)
) with (fillfactor = 50);

create table queue_places (
  concert_id   int not null,
  number       bigint not null,
  user_id      uuid not null,
  joined_at    timestamptz not null,
  -- Null while waiting.
  active_until timestamptz,
  -- Null until an admitted fan has shown up.
  claimed_at   timestamptz,
  ended_at     timestamptz,
  end_reason   text check (end_reason in ('completed', 'expired', 'no-show', 'left')),
  primary key (concert_id, number),
  check ((ended_at is null) = (end_reason is null))
) with (fillfactor = 70);
create unique index queue_places_live on queue_places (concert_id, user_id) where ended_at is null;
create index queue_places_active on queue_places (concert_id, active_until)
  where ended_at is null and active_until is not null;
create index queue_places_left on queue_places (concert_id, ended_at)
  where ended_at is not null and active_until is null;
