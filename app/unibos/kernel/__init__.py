"""The kernel: how features are declared, composed and run. It knows no feature by name."""
