"""From a PyTorch module to the two operations, by torch.export."""
