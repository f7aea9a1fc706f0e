"""Owns which nodes a hub knows and how they are (AUTHORITY), and a node's own report about itself (MEMBER). Spec section 5."""
