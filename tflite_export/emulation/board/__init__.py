"""What surrounds the model in a firmware image: start-up, main, linker script."""
