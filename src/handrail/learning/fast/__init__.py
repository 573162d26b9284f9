"""The same steps in less time: traced steps without autograd, fused and stacked optimizers.

May import `objectives` and the rest of `learning`; each file says what it saves. A new way
to save time gives the numbers of the plain step.
"""
