"""Several processes that train one network: how they meet, share batches as a `Team`, and end together."""
