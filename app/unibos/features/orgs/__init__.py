"""Owns organisations, memberships and the claim of the device (spec sections 3 and 4). Refuses a second claim."""
