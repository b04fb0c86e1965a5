#pragma once
#include <cstddef>
#include <cstdint>
namespace tflite {
class MicroAllocator {
 public:
  static MicroAllocator *Create(uint8_t *arena, size_t size) {
    static MicroAllocator instance;
    instance.arena = arena;
    instance.size = size;
    return &instance;
  }
  uint8_t *arena = nullptr;
  size_t size = 0;
};
}  // namespace tflite
