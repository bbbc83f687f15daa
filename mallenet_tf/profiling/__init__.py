"""What a network costs: parameters and multiply-adds."""

from mallenet_tf.profiling.flops import count_multiply_adds, count_parameters

__all__ = ["count_multiply_adds", "count_parameters"]
