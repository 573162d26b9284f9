"""The networks for pictures as each framework writes them: LeNet-5 and ResNet-20."""

import itertools

from torch import Tensor, nn
from torch.nn import functional

CLASSES = 10


def lenet() -> nn.Module:
    """LeNet-5 with ReLU and max pooling, as tutorials write it: 61,706 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, CLASSES),
    )


class Block(nn.Module):
    """Two convolutions and a shortcut, which halves the picture and fills new channels with zeros where the
    block does.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.stride = after // before
        self.new = after - before
        self.first = nn.Conv2d(before, after, 3, stride=self.stride, padding=1, bias=False)
        self.norm_first = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm_second = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        around = x
        if self.new:
            around = functional.pad(
                x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new // 2, self.new // 2)
            )
        x = functional.relu(self.norm_first(self.first(x)))
        return functional.relu(self.norm_second(self.second(x)) + around)


def resnet() -> nn.Module:
    """ResNet-20 for pictures of 32 × 32 (He 2015): 0.27 million parameters."""
    widths = [16] * 4 + [32] * 3 + [64] * 3
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *(Block(before, after) for before, after in itertools.pairwise(widths)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, CLASSES),
    )


def keras_lenet():
    """The same in Keras, channels first: what torch's kernels take, and quicker here than Keras's usual
    order.
    """
    import keras
    from keras import layers

    keras.config.set_image_data_format("channels_first")
    return keras.Sequential(
        [
            keras.Input((1, 28, 28)),
            layers.Conv2D(6, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(120, activation="relu"),
            layers.Dense(84, activation="relu"),
            layers.Dense(CLASSES),
        ]
    )


def keras_resnet():
    """The same in Keras; its batch normalisation is set to forget as torch's does."""
    import keras
    from keras import layers, ops

    keras.config.set_image_data_format("channels_first")

    def convolved(x, channels: int, stride: int = 1):
        # torch pads both sides by one; Keras's "same" would pad one side alone where the stride is 2
        x = layers.Conv2D(channels, 3, strides=stride, use_bias=False)(layers.ZeroPadding2D(1)(x))
        return layers.BatchNormalization(axis=1, momentum=0.9, epsilon=1e-5)(x)

    def block(x, channels: int):
        new = channels - x.shape[1]
        around = ops.pad(x[:, :, ::2, ::2], [[0, 0], [new // 2, new // 2], [0, 0], [0, 0]]) if new else x
        within = layers.ReLU()(convolved(x, channels, 2 if new else 1))
        return layers.ReLU()(layers.Add()([convolved(within, channels), around]))

    inputs = keras.Input((3, 32, 32))
    x = layers.ReLU()(convolved(inputs, 16))
    for channels in [16] * 3 + [32] * 3 + [64] * 3:
        x = block(x, channels)
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))
