#ifndef TE_LEAKY_RELU_INT16_H
#define TE_LEAKY_RELU_INT16_H

#include <stdint.h>

/* output = rescaled input, by one factor where it is positive and another where it is not, int16.
 *
 * *_multiplier: 0 or [2^30, 2^31), the negative one with the sign of the slope; *_shift: [-31, 15] */
typedef struct {
  uint32_t count;
  int16_t input_zero_point, output_zero_point;
  int32_t positive_multiplier, negative_multiplier;
  int8_t positive_shift, negative_shift;
} te_leaky_relu_int16_params;

void te_leaky_relu_int16(const te_leaky_relu_int16_params *params, const int16_t *input, int16_t *output);

#endif
