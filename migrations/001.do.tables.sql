-- Frontrow's tables. Times are the database's; money is whole won.
-- Hot tables (reservations, payments, balance_entries, outbox) carry no foreign keys: the one statement that writes
-- them has just locked the rows they point to, and a key check per row would cost a lookup per row.

create table users (
  id         uuid primary key,
  name       text not null,
  issuer     text,
  subject    text,
  created_at timestamptz not null default now(),
  -- A fan of an outside identity provider, known by who vouches and for whom.
  unique (issuer, subject)
);

create table balances (
  user_id uuid primary key references users (id),
  -- Never negative; never past the whole numbers that JSON readers keep exactly.
  amount  bigint not null default 0 check (amount between 0 and 9007199254740991)
) with (fillfactor = 50);

create table concerts (
  id                    int generated always as identity primary key,
  title                 text not null,
  artist                text not null,
  venue                 text not null,
  sale_opens_at         timestamptz not null,
  sale_closes_at        timestamptz not null,
  -- Null: the service's default applies.
  queue_capacity        int check (queue_capacity > 0),
  queue_rate_per_second double precision check (queue_rate_per_second > 0),
  queue_paused          boolean not null default false,
  -- When its opening was announced, and when its last seat was sold.
  opened_at             timestamptz,
  sold_out_at           timestamptz,
  created_at            timestamptz not null default now(),
  check (sale_closes_at > sale_opens_at)
);

create table shows (
  id          int generated always as identity primary key,
  concert_id  int not null references concerts (id),
  starts_at   timestamptz not null,
  seats_total int not null,
  price_from  int not null,
  price_to    int not null
);
create index shows_of_concert on shows (concert_id, starts_at, id);

-- A seat is free when it is not sold and its held_until is null or past: expiry needs no job.
-- Holding changes no indexed column, so it stays on the page (HOT); half-empty pages leave room for that.
create table seats (
  show_id        int not null references shows (id),
  number         int not null check (number > 0),
  price          int not null check (price >= 0),
  reservation_id uuid,
  held_until     timestamptz,
  sold_at        timestamptz,
  primary key (show_id, number),
  check (sold_at is null or reservation_id is not null)
) with (fillfactor = 50);
-- Answers "is anything left?" without reading what is sold.
create index seats_unsold on seats (show_id) where sold_at is null;

create table reservations (
  id           uuid primary key,
  user_id      uuid not null,
  concert_id   int not null,
  show_id      int not null,
  -- The fan's n-th reservation in this show. Its uniqueness is what makes the seats-per-fan limit hold between
  -- instances: two requests that counted the same past collide here, and one of them counts again.
  ordinal      int not null,
  seat_numbers int[] not null,
  seat_prices  int[] not null,
  total        bigint not null,
  state        text not null check (state in ('held', 'paid', 'expired', 'cancelled')),
  held_until   timestamptz not null,
  created_at   timestamptz not null,
  closed_at    timestamptz,
  unique (user_id, show_id, ordinal)
) with (fillfactor = 80);
create index reservations_due on reservations (held_until) where state = 'held';

create table payments (
  id             uuid primary key,
  reservation_id uuid not null unique,
  user_id        uuid not null,
  concert_id     int not null,
  show_id        int not null,
  seat_numbers   int[] not null,
  seat_prices    int[] not null,
  amount         bigint not null check (amount >= 0),
  balance        bigint not null,
  paid_at        timestamptz not null
);

create table balance_entries (
  id         bigint generated always as identity,
  user_id    uuid not null,
  kind       text not null check (kind in ('charge', 'payment', 'refund')),
  amount     bigint not null,
  balance    bigint not null check (balance >= 0),
  -- The charge, the payment or the refund that this line stands for: one line each.
  reference  uuid not null unique,
  created_at timestamptz not null,
  primary key (user_id, id),
  check ((kind = 'payment') = (amount < 0) or amount = 0)
);

-- The first answer to a keyed request, written in the statement that had the effect.
create table idempotency_keys (
  user_id     uuid not null,
  key         text not null,
  fingerprint text not null,
  -- Text as it was sent: jsonb would reorder its members.
  outcome     json not null,
  created_at  timestamptz not null default now(),
  primary key (user_id, key)
);
create index idempotency_keys_by_age on idempotency_keys using brin (created_at);

create table outbox (
  position     bigint generated always as identity,
  event_id     uuid not null default gen_random_uuid(),
  topic        text not null,
  key          text not null,
  type         text not null,
  data         json not null,
  occurred_at  timestamptz not null,
  published_at timestamptz
) with (fillfactor = 80);
-- The only index by position: a row that is published leaves it, and needs no other.
create unique index outbox_pending on outbox (position) where published_at is null;
create index outbox_by_age on outbox using brin (published_at);

create table inbox (
  consumer     text not null,
  event_id     uuid not null,
  processed_at timestamptz not null default now(),
  primary key (consumer, event_id)
);
create index inbox_by_age on inbox using brin (processed_at);

create table dead_letters (
  id          bigint generated always as identity primary key,
  consumer    text not null,
  event_id    uuid not null,
  event       jsonb not null,
  error       text not null,
  attempts    int not null,
  failed_at   timestamptz not null default now(),
  replayed_at timestamptz,
  unique (consumer, event_id)
);

-- What each show has sold, counted from events for the operator.
create table sales (
  show_id    int primary key,
  concert_id int not null,
  payments   int not null default 0,
  seats      int not null default 0,
  amount     bigint not null default 0
) with (fillfactor = 50);
create index sales_of_concert on sales (concert_id);
