/* Included before the model: notes, without an instruction, the address where each operator ends. */
#define TE_AFTER_OPERATOR(index)                                                                     \
  __asm__ volatile("1:\n .pushsection te_steps,\"\",%%progbits\n .long 1b, %c0\n .popsection" : : "i"(index) : "memory")
