"""Owns people, their passwords, sessions and tokens (spec section 3). Refuses to know organisations: it asks for claims."""
