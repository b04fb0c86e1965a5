#ifndef TE_ARM_MVE_INT_H
#define TE_ARM_MVE_INT_H

#include <stdint.h>

#include "compiler.h"

/* The integer vector instructions of Cortex-M55 and M85. */

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1) && !defined(__ARM_BIG_ENDIAN)
#define TE_ARM_MVE 1
#include <arm_mve.h>

TE_INLINE void te_copy_vector(int8_t *to, const int8_t *from, int32_t count) {
  for (; count > 0; count -= 16, to += 16, from += 16) {
    const mve_pred16_t left = vctp8q((uint32_t)count);
    vstrbq_p_s8(to, vldrbq_z_s8(from, left), left);
  }
}

#endif
#endif
