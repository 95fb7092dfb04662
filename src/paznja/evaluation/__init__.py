"""What a model has learnt, in numbers: bits per character."""
