"""What products stand on. A feature is used by others only through its `service`."""
