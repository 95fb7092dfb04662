"""Maps token ids to the logits of the next id. Knows nothing about text, files or training."""
