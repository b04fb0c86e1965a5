/* What a bare Cortex-M needs before and after main: two vectors, data, zeros, and an end. */
#include <stdint.h>

extern uint32_t te_data_load[], te_data_start[], te_data_end[], te_zero_start[], te_zero_end[], te_stack[];
int main(void);

void Reset_Handler(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: floating point and vectors on */
  __asm__ volatile("dsb\n isb");
#endif
  const uint32_t *from = te_data_load;
  for (uint32_t *to = te_data_start; to < te_data_end;) {
    *to++ = *from++;
  }
  for (volatile uint32_t *to = te_zero_start; to < te_zero_end;) {
    *to++ = 0;
  }
  main();
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {te_stack, (void *)Reset_Handler};
