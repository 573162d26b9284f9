"""Pictures, masks and boxes: from files and arrays to stores of pixels.

`store`, `masks` and `boxes` hold the three kinds of store. Nothing is imported here: worker processes import
`handrail.data.images.worker` alone, and must stay small and quick to start.
"""
