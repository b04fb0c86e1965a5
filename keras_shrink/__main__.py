"""`python -m keras_shrink` is the command `keras-shrink`."""

from keras_shrink.cli import main

main()
