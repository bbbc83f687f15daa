"""The data sets of the denoising literature.

`catalog` describes each of them, `layout` finds and checks the files of its official archives,
`builders` makes a TensorFlow Dataset of it, and `preparation` runs a builder on one machine.
"""
