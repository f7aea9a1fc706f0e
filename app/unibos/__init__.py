"""UNIBOS: an appliance that keeps people's data on their own hardware."""

__version__ = "0.1.0"
