"""Evidence: what learning together is worth, method by method, in workshops that nobody looked at."""
