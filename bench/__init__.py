"""Speed and memory of UNIBOS, measured on this machine: `python -m bench`. Nothing here is a test; each figure names its peer and its target."""
