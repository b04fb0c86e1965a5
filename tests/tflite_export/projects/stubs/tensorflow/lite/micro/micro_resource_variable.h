#pragma once
#include "tensorflow/lite/micro/micro_allocator.h"
namespace tflite {
class MicroResourceVariables {
 public:
  static MicroResourceVariables *Create(MicroAllocator *, int count) {
    static MicroResourceVariables instance;
    return count > 0 ? &instance : nullptr;
  }
};
}  // namespace tflite
