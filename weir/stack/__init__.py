"""The stack file: found, read with places, edited without loss."""
