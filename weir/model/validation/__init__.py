"""Loading a stack config, its messages, the rules between fields, warnings."""
