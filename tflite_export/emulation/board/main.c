/* Keeps the model in the image; the emulator calls its functions itself. */
#include "emulated_model.h"

int main(void) {
  for (;;) {
    TE_MODEL(invoke)();
  }
}
