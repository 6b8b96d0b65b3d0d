"""Tests of the stack file: found, read, edited."""
