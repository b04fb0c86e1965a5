"""The integer arithmetic of the device, computed in TensorFlow: bit for bit what TFLM would answer."""
