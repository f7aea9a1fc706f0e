"""Bytes that cross a boundary: pure encoders and decoders, each with a page in docs/spec/."""
