"""The keys of the stack config as typed, frozen objects; the schema comes from them."""
