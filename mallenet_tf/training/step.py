"""One optimisation step, on one or several replicas."""

from collections.abc import Callable

import keras
import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class TrainStep:
    """Gradient of the mean loss over the global batch, clipping, update: a compiled call.

    Args:
        strategy: distributes the batch over replicas.
        model: built inside the strategy's scope.
        optimizer: likewise; a `LossScaleOptimizer` is understood.
        loss: of clean and denoised images, one value per image.
        batch_size: the global batch.
        clip_norm: bound on the global norm of the gradients, None for none.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        model: keras.Model,
        optimizer: keras.Optimizer,
        loss: Loss,
        batch_size: int,
        clip_norm: float | None,
    ):
        self._strategy = strategy
        self._model = model
        self._optimizer = optimizer
        self._loss = loss
        self._batch_size = batch_size
        self._clip_norm = clip_norm

    @tf.function(reduce_retracing=True)
    def __call__(self, noisy, clean) -> tf.Tensor:
        """Applies one step and returns the mean loss over the global batch, a scalar."""
        losses = self._strategy.run(self._replica_step, args=(noisy, clean))
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    def _replica_step(self, noisy, clean):
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            denoised = self._model(noisy, training=True)
            loss = tf.reduce_sum(self._loss(clean, denoised)) / self._batch_size
            scaled = self._optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [variable.value for variable in variables])
        replicas = self._strategy.num_replicas_in_sync
        if replicas > 1:
            # Summed here, not in the optimiser, so that clipping and the loss scale see the
            # gradient of the global batch. The optimiser sums again; the division undoes that.
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        if self._clip_norm is not None:
            norm = self._clip_norm * self._optimizer.scale_loss(tf.ones([]))
            gradients, _ = tf.clip_by_global_norm(gradients, norm)
        if replicas > 1:
            gradients = [gradient / replicas for gradient in gradients]
        self._optimizer.apply(gradients, variables)
        return loss
