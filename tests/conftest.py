"""What all tests share: a kit with a hand-moved clock on a fresh database, and the people Ada, Bo and Cy."""
