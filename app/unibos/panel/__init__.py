"""The web shell: layout, navigation, components, live updates and language. It knows no domain."""
