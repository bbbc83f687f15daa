"""The data sets of the denoising literature, laid out as their official archives are.

`catalog` says what each one is, `layout` finds and checks its files, `matlab` reads the ones
kept in .mat files, and `builders` makes TensorFlow Datasets of all of them.
"""
