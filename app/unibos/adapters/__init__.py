"""The only code that touches the outside: database, files, queue, broker, network, clock, processes."""
