"""What a command does: one run, or many."""
