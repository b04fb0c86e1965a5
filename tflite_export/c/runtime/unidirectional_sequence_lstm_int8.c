#include "unidirectional_sequence_lstm_int8.h"

#include "sigmoid.h"

#define TE_NAME te_unidirectional_sequence_lstm_int8
#define TE_PARAMS te_unidirectional_sequence_lstm_int8_params
#define TE_GATE te_lstm_gate_int8
#define TE_DATA int8_t
#define TE_SUM int32_t
#define TE_REQUANTIZE te_requantize
#define TE_LOW (-128)
#define TE_HIGH 127

#include "lstm_steps.h"
