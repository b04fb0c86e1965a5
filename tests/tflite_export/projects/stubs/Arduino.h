// The few declarations of Arduino that generated sketches use, to compile and run them here.
#pragma once
#include <stdint.h>
#include <stdio.h>
struct FakeSerial {
  void begin(long) {}
  explicit operator bool() const { return true; }
  void print(const char *text) { printf("%s", text); }
  void print(long value) { printf("%ld", value); }
  void println(const char *text) { printf("%s\n", text); }
};
static FakeSerial Serial;
static inline unsigned long micros() { return 0; }
static inline unsigned long millis() { return 0; }
static inline void delay(unsigned long) {}
