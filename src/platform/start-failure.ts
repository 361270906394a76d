/**
 * A start that cannot go on for a reason its operator can mend (a taken port, a bad setting, a full disk).
 * Its message is all that is printed: what is wrong, and what to do. Anything else thrown at start is a bug
 * and keeps its stack.
 */
export class StartFailure extends Error {
  override readonly name = 'StartFailure'
}
