"""The counted memory: what followed every context of the books, and of the text so far; evidence that the network weighs."""
