"""The tools the lab runs: pinned Go modules, built once into a cache outside the checkout."""
