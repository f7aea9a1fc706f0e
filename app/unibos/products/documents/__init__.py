"""Owns documents: upload, reading by OCR, full-text search, tags. Files lie in the store, text in records (spec section 12)."""
