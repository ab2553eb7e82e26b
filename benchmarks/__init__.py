"""What is claimed to be fast, measured side by side in one run; ratios hold on noisy machines, seconds do not."""
