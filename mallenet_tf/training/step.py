"""One optimization step, on one or several replicas."""

import keras
import tensorflow as tf

from mallenet_tf.common.errors import UserError
from mallenet_tf.training.losses import AnnealedGroups, Loss

Gradients = list[tf.Tensor]


class TrainStep:
    """Gradient of the mean loss over the global batch, clipping and update, as a compiled call.

    Args:
        strategy: Strategy that distributes the batch over replicas.
        model: Model built inside the strategy's scope.
        optimizer: Optimizer built there; may be a `LossScaleOptimizer`.
        loss: Function of clean and denoised images, one value per image; `AnnealedGroups` also gets
            the model's `group_results` and the step count of the optimizer, which is part of the
            state of a run.
        batch_size: Images in the global batch.
        clip_norm: Bound on the global norm of the gradients; None for none.
        accumulate: Number of pieces in which a replica processes its share of the batch, one after
            the other. Only one piece's activations are in memory; the gradients add up to the
            batch's.

    Raises:
        UserError: If the loss is `AnnealedGroups` and the model has no groups.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        model: keras.Model,
        optimizer: keras.Optimizer,
        loss: Loss,
        batch_size: int,
        clip_norm: float | None,
        accumulate: int = 1,
    ):
        self._strategy = strategy
        self._model = model
        self._optimizer = optimizer
        self._loss = loss
        if isinstance(loss, AnnealedGroups):
            outputs = [model.output, _group_results(model)]
            self._with_groups = keras.Model(model.inputs[0], outputs)
        self._batch_size = batch_size
        self._clip_norm = clip_norm
        self._accumulate = accumulate

    @tf.function(reduce_retracing=True)
    def __call__(self, noisy: tf.Tensor, clean: tf.Tensor) -> tf.Tensor:
        """Applies one step and returns the mean loss over the global batch, a scalar."""
        losses = self._strategy.run(self._replica_step, args=(noisy, clean))
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    def _replica_step(self, noisy: tf.Tensor, clean: tf.Tensor) -> tf.Tensor:
        variables = self._model.trainable_variables
        loss, gradients = self._accumulated(noisy, clean)
        replicas = self._strategy.num_replicas_in_sync
        if replicas > 1:
            # Summed here, not in the optimizer, so that clipping and the loss scale see the
            # gradient of the global batch. The optimizer sums again; the division undoes that.
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        if self._clip_norm is not None:
            norm = self._clip_norm * self._optimizer.scale_loss(tf.ones([]))
            gradients, _ = tf.clip_by_global_norm(gradients, norm)
        if replicas > 1:
            gradients = [gradient / replicas for gradient in gradients]
        self._optimizer.apply(gradients, variables)
        return loss

    def _accumulated(self, noisy: tf.Tensor, clean: tf.Tensor) -> tuple[tf.Tensor, Gradients]:
        """Returns the replica's share of the mean loss, and its gradients: sums over the pieces."""
        if self._accumulate == 1:
            return self._gradients(noisy, clean)
        size = tf.shape(noisy)[0] // self._accumulate

        def add(index: tf.Tensor, loss: tf.Tensor, gradients: Gradients) -> tuple:
            piece = slice(index * size, (index + 1) * size)
            more_loss, more = self._gradients(noisy[piece], clean[piece])
            return (
                index + 1,
                loss + more_loss,
                [a + b for a, b in zip(gradients, more, strict=True)],
            )

        zeros = [tf.zeros_like(variable.value) for variable in self._model.trainable_variables]
        _, loss, gradients = tf.while_loop(
            lambda index, *_: index < self._accumulate,
            add,
            (tf.constant(0), tf.constant(0.0), zeros),
            parallel_iterations=1,  # more would be in memory together
        )
        return loss, gradients

    def _gradients(self, noisy: tf.Tensor, clean: tf.Tensor) -> tuple[tf.Tensor, Gradients]:
        """Returns the loss, divided by the global batch size, and its gradients, scaled."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self._losses(noisy, clean)) / self._batch_size
            scaled = self._optimizer.scale_loss(loss)
        weights = [variable.value for variable in self._model.trainable_variables]
        return loss, tape.gradient(scaled, weights)

    def _losses(self, noisy: tf.Tensor, clean: tf.Tensor) -> tf.Tensor:
        """Returns one value per image."""
        if not isinstance(self._loss, AnnealedGroups):
            return self._loss(clean, self._model(noisy, training=True))
        denoised, group_results = self._with_groups(noisy, training=True)
        return self._loss(clean, denoised, group_results, self._optimizer.iterations)


def _group_results(model: keras.Model) -> keras.KerasTensor:
    results = getattr(model, "group_results", None)
    if results is None:
        raise UserError(
            "AnnealedGroups is for networks that filter with several groups of taps, such as "
            "deformable_kernels_3d; train other networks with the inner loss. "
            f"Received: model={model.name}"
        )
    return results
