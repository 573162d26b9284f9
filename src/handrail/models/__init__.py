"""Choose the model: networks as plain `torch.nn.Module`s, made for the shapes of their inputs and outputs.

rows of numbers  linear, mlp, highway; mcculloch_pitts for truth tables
images           lenet5, cnn, alexnet, vgg, resnet, plain_net, local_net; unet for masks, detector for boxes
volumes          volume_cnn
series           series_cnn, nlinear (forecasts), rnn, lstm, gru, transformer
tokens           bag_of_words, text_cnn, rnn, lstm, gru, transformer; gpt: next token; encoder_decoder: text
any              layers: a list of them in the recipe

May import `layers`, `shapes` and `components`, and no other model. A new network is a file with
`@component("model")`; `handrail.components.available("model")` lists them.
"""

from handrail.models.linear import Linear
from handrail.models.mlp import MLP

__all__ = ["MLP", "Linear"]
