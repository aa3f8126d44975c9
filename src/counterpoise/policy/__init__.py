"""Policy: the inverse problem. What to do, at what price, and what is possible at all."""
