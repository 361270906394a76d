/** The pages of what the fan has. */
export { Balance } from './balance.tsx'
export { Payments } from './payments.tsx'
export { Reservations } from './reservations.tsx'
