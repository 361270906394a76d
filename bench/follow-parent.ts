/**
 * Loaded before the program of a child process: when the process that started it is gone, however it ended, the
 * child stops as if it was told to. Listening for that does not keep it running.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
