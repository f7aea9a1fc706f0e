"""Owns the view of work (queues, running, failed), the workers' register, the dispatcher's loop. Jobs lie in the kernel."""
