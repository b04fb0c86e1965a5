#pragma once
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"
struct TfLiteTensor {
  union {
    void *data;
  } data;
};
namespace tflite {
// Copies its input to its output, so that a test sees whether both are the right ones.
class MicroInterpreter {
 public:
  template <class Resolver>
  MicroInterpreter(const Model *, const Resolver &, uint8_t *arena, size_t size) : arena_(arena), size_(size) {
    input_.data.data = arena;
    output_.data.data = arena + size / 2;
  }
  template <class Resolver>
  MicroInterpreter(const Model *model, const Resolver &resolver, MicroAllocator *allocator, MicroResourceVariables *)
      : MicroInterpreter(model, resolver, allocator->arena, allocator->size) {}
  TfLiteStatus AllocateTensors() { return size_ >= 64 ? kTfLiteOk : kTfLiteError; }
  TfLiteTensor *input(size_t) { return &input_; }
  TfLiteTensor *output(size_t) { return &output_; }
  TfLiteStatus Invoke() {
    for (size_t i = 0; i < size_ / 2; ++i) {
      arena_[size_ / 2 + i] = arena_[i];
    }
    return kTfLiteOk;
  }

 private:
  uint8_t *arena_;
  size_t size_;
  TfLiteTensor input_, output_;
};
}  // namespace tflite
