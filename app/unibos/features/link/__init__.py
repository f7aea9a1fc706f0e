"""Owns a node's hubs: which there are, the proven session with each, what was answered last. Refuses to decide what may leave."""
