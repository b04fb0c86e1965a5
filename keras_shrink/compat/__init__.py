"""Moving over: other packages' calls for Keras 3 models, and models saved by them."""
