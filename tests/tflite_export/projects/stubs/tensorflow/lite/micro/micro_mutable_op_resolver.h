#pragma once
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
namespace tflite {
struct TFLMRegistration {};
inline TFLMRegistration Register_CONV_2D() { return {}; }
inline TFLMRegistration Register_CONV_2D_INT8() { return {}; }
inline TFLMRegistration Register_FULLY_CONNECTED() { return {}; }
inline TFLMRegistration Register_FULLY_CONNECTED_INT8() { return {}; }
template <unsigned int tOpCount>
class MicroMutableOpResolver {
 public:
  TfLiteStatus AddConv2D(const TFLMRegistration & = Register_CONV_2D()) { return Count(); }
  TfLiteStatus AddFullyConnected(const TFLMRegistration & = Register_FULLY_CONNECTED()) { return Count(); }
  TfLiteStatus AddVarHandle() { return Count(); }

 private:
  TfLiteStatus Count() { return ++count_ <= tOpCount ? kTfLiteOk : kTfLiteError; }
  unsigned int count_ = 0;
};
}  // namespace tflite
