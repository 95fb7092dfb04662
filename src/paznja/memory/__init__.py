"""The counted memory: what followed every context in the books and in the text so far, as evidence that the network weighs."""
