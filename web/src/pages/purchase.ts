/** The pages from the line to the ticket: one file, so that whoever waits has all that follows. */
export { Reservation } from './reservation.tsx'
export { Seats } from './seats.tsx'
export { Shows } from './shows.tsx'
export { WaitingRoom } from './waiting-room.tsx'
