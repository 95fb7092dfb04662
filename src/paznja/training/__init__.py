"""Training: batches, optimizers, schedule, checkpoints, and the trainer, a generator of events."""
