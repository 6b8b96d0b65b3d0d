"""Previews and updates: Pulumi, driven."""
