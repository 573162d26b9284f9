"""Augmentation: training rows changed at random, on the device, in batches; never validation or test rows.

images  flip, shift, rotation, zoom, crop, resized_crop, colour, noise, erasing, mixup
series  jitter, scaling

`defaults` says what suits the data where nobody names any; `base` is what those of images share.

May import `layers`, `shapes`, `components` and below. A new one is a class with `@component("augmentation")`.
"""
