"""Database, object stores and files; what is written together, and who is told of it."""
