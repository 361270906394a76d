/**
 * Every bound of the service that is not a setting, with its reason. What an operator may want to change is a
 * setting instead (`config.ts`).
 */
export const limits = {
  /**
   * Requests that one statement takes. Joins inside it grow with the square: a hold cost PostgreSQL 51 us at 64 in a
   * batch and 74 at 200, so far more than this would cost more than it saves.
   */
  batch: 256,
  /** Requests that may wait for one kind of statement before the service sheds load: bounds memory and the wait. */
  batchQueue: 20_000,
  /** Seat numbers in one request, before the setting decides: bounds the parsing, not the sale. */
  seatNumbersPerRequest: 100,
  /** Ordinary bodies; the largest is a list of seat numbers. */
  bodyBytes: 16 * 1024,
  /** An operator's concert with 5,000 shows of several price zones. */
  concertBodyBytes: 8 * 1024 * 1024,
  showsPerConcert: 5_000,
  /** Seats in one show: larger than any stadium. */
  seatsPerShow: 200_000,
  /** Seats made by one call: bounds its transaction to some seconds. */
  seatsPerConcert: 2_000_000,
  /** Price zones of one show. */
  seatRangesPerShow: 200,
  /** One seat's price in won: fits the column, and four of them fit any sum. */
  seatPrice: 500_000_000,
  /** The largest whole number that every JSON reader keeps exactly. */
  balance: Number.MAX_SAFE_INTEGER,
  queueCapacity: 1_000_000,
  queueRatePerSecond: 1_000_000,
  /** Names, titles: long enough for any, short enough for a ticket. */
  text: 200,
  pageSize: 50,
  /** Characters of a paging cursor: ours are shorter. */
  cursor: 200,
  idempotencyKey: 64,
  /** How long a first answer is replayed: longer than any client retries. */
  idempotencyHours: 24,
  /** How long published events and consumers' marks are kept for an operator to look at. */
  eventHours: 72,
  /** Characters kept of what a consumer failed with. */
  errorText: 2_000,
  /** Open event streams of one instance: about 12 kB each. */
  streams: 20_000,
  /** Requests of one fan in ten seconds: a hundred times what a thumb does, a hundredth of what a script does. */
  requestsPerUser: 600,
  /** Sign-ups from one address in ten seconds: a whole campus may share one. */
  signUpsPerAddress: 10_000,
  /** Largest identity in PostgreSQL's int: ids above it cannot exist. */
  id: 2_147_483_647,
} as const
