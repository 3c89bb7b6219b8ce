"""Generated tasks that cannot be done without remembering for a known number of steps."""
