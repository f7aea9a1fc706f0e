"""Owns LAN devices over MQTT: their credentials, discovery, readings and commands (spec section 11).

Refuses what a device says outside its own topics, and any template that is more than arithmetic on its message.
"""
