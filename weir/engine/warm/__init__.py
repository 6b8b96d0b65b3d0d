"""What makes commands fast: the program in a process that is already there, a provider that is kept."""
