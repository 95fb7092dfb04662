"""What moves the weights: batches, optimizers, schedule, checkpoints, and the trainer, a generator of events."""
