"""Augmentation: training rows changed at random, on the device, in batches; never validation or test rows."""
