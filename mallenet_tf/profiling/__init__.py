"""What a network costs: parameters, multiply-adds, latency, memory, and where the time goes.

Names are imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={"flops": ["count_multiply_adds", "count_parameters"]},
)
