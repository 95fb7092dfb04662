"""Token ids to the next id's logits. Knows nothing of text, files or training."""
