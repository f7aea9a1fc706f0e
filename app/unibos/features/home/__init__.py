"""Owns what a device says of itself as a whole: health, dashboard, settings, about. Refuses to know what others measure."""
