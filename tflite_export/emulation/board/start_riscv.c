/* What a bare RV32 core needs before and after main: a stack, zeros, and an end. */
#include <stdint.h>

extern uint32_t te_data_load[], te_data_start[], te_data_end[], te_zero_start[], te_zero_end[];
int main(void);

__attribute__((used)) void te_start(void) {
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

__attribute__((naked, section(".vectors"), used)) void Reset_Handler(void) {
  __asm__ volatile("la sp, te_stack\n j te_start");
}
