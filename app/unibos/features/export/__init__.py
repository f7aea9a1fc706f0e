"""Owns the one door outwards (spec section 8): rules, kill switch, audit log. Default deny; some types never leave."""
