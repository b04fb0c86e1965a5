import os

# Before TensorFlow is imported by any test: quiet logs and one thread pool per worker.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
