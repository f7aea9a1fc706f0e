"""Processes: a profile reads settings, builds the Kit, lists its features and starts."""
