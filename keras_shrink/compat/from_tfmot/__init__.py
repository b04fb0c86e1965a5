"""Models saved from tensorflow-model-optimization on tf_keras: reading them needs neither package."""
