"""What a network costs: parameters, multiply-adds, latency, memory, and where the time goes."""

from mallenet_tf.profiling.flops import count_multiply_adds, count_parameters

__all__ = ["count_multiply_adds", "count_parameters"]
