// The few declarations of TensorFlow Lite Micro that generated projects use, to compile against.
#pragma once
#define TFLITE_SCHEMA_VERSION 3
namespace tflite {
class Model {
 public:
  int version() const { return TFLITE_SCHEMA_VERSION; }
};
inline const Model *GetModel(const void *data) { return static_cast<const Model *>(data); }
}  // namespace tflite
