/* Included before the model: reads the instruction counter where each operator ends. */
void te_mark(int index);
#define TE_AFTER_OPERATOR(index) te_mark(index)
