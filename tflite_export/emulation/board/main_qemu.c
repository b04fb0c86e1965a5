/* Runs the model on the samples that are linked in, and prints what it counted and what came out. */
#include <stdint.h>

#include "emulated_model.h"
#include "emulated_samples.h"

static uint32_t te_marks[TE_MARKS], te_previous;

#if defined(__riscv)
static uint32_t te_counter(void) {
  uint32_t count;
  __asm__ volatile("csrr %0, minstret" : "=r"(count));
  return count;
}

static int te_host(int operation, const void *argument) {
  register int a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = argument;
  __asm__ volatile(
      ".option push\n.option norvc\n.balign 16\nslli zero, zero, 0x1f\nebreak\nsrai zero, zero, 7\n.option pop"
      : "+r"(a0)
      : "r"(a1)
      : "memory");
  return a0;
}

static void te_counter_start(void) {}
#else
/* SysTick counts virtual time down, and under -icount every instruction takes the same time. */
#define SYST ((volatile uint32_t *)0xE000E010)

static uint32_t te_counter(void) { return 0xFFFFFFu - SYST[2]; }

static int te_host(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static void te_counter_start(void) {
  SYST[0] = 0;
  SYST[1] = 0xFFFFFF;
  SYST[2] = 0;
  SYST[0] = 5;
  while (!SYST[2]) {
  }
}
#endif

static uint8_t *te_stack_pointer(void) {
  uint8_t *pointer;
#if defined(__riscv)
  __asm__ volatile("mv %0, sp" : "=r"(pointer));
#else
  __asm__ volatile("mov %0, sp" : "=r"(pointer));
#endif
  return pointer;
}

static uint32_t te_elapsed(uint32_t since, uint32_t now) {
#if defined(__riscv)
  return now - since;
#else
  return (now - since) & 0xFFFFFFu;
#endif
}

void te_mark(int index) {
  const uint32_t now = te_counter();
  te_marks[index] += te_elapsed(te_previous, now);
  te_previous = te_counter();
}

static void te_text(const char *text) { te_host(0x04, text); }

static void te_number(const char *label, uint32_t value) {
  char digits[12];
  int at = 11;
  digits[at] = 0;
  do {
    digits[--at] = (char)('0' + value % 10u);
    value /= 10u;
  } while (value);
  te_text(label);
  te_text(digits + at);
  te_text("\n");
}

static void te_bytes(const uint8_t *bytes, uint32_t count) {
  static const char nibbles[] = "0123456789abcdef";
  char text[65];
  while (count) {
    uint32_t used = 0;
    for (; used < 32 && count; ++used, --count, ++bytes) {
      text[2 * used] = nibbles[*bytes >> 4];
      text[2 * used + 1] = nibbles[*bytes & 15];
    }
    text[2 * used] = 0;
    te_text(text);
  }
  te_text("\n");
}

/* A loop of 400,000 instructions and a few, to learn how many of them make a tick. */
static uint32_t te_calibrate(void) {
  uint32_t turns = 4000;
  const uint32_t before = te_counter();
  do {
    __asm__ volatile(".rept 98\n nop\n .endr" : "+r"(turns));
  } while (--turns);
  return te_elapsed(before, te_counter());
}

#define TE_STACK_BYTES 16384u

/* Invokes the model and returns how many bytes of stack it touched. */
static __attribute__((noinline)) uint32_t te_invoke(void) {
  volatile uint8_t *const top = te_stack_pointer();
  for (uint32_t i = 1; i <= TE_STACK_BYTES; ++i) {
    top[-(int32_t)i] = 0xA5;
  }
  const uint32_t start = te_counter();
  te_previous = start;
  TE_MODEL(invoke)();
  te_number("ticks ", te_elapsed(start, te_counter()));
  uint32_t touched = TE_STACK_BYTES;
  while (touched && top[-(int32_t)touched] == 0xA5) {
    --touched;
  }
  return touched;
}

int main(void) {
  te_counter_start();
  te_number("calibration ", te_calibrate());
  for (int sample = 0; sample < TE_SAMPLES; ++sample) {
    const uint8_t *from = te_samples + sample * TE_SAMPLE_BYTES;
    for (int port = 0; port < TE_INPUTS; ++port) {
      uint8_t *to = (uint8_t *)TE_MODEL(input)(port);
      for (uint32_t i = 0; i < te_input_bytes[port]; ++i) {
        *to++ = *from++;
      }
    }
    for (int i = 0; i < TE_MARKS; ++i) {
      te_marks[i] = 0;
    }
    const uint32_t stack = te_invoke();
    for (int i = 0; i < TE_MARKS; ++i) {
      te_number("mark ", te_marks[i]);
    }
    te_number("stack ", stack);
    for (int port = 0; port < TE_OUTPUTS; ++port) {
      te_text("output ");
      te_bytes((const uint8_t *)TE_MODEL(output)(port), te_output_bytes[port]);
    }
  }
  const uint32_t exit[2] = {0x20026, 0};
  te_host(0x20, exit);
  return 0;
}
