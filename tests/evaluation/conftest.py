"""One thread for each of the tests that run side by side."""

import torch

torch.set_num_threads(1)
