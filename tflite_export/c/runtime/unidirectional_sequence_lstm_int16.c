#include "unidirectional_sequence_lstm_int16.h"

#include "requantize_64.h"
#include "sigmoid.h"

#define TE_NAME te_unidirectional_sequence_lstm_int16
#define TE_PARAMS te_unidirectional_sequence_lstm_int16_params
#define TE_GATE te_lstm_gate_int16
#define TE_DATA int16_t
#define TE_SUM int64_t
#define TE_REQUANTIZE te_requantize_64
#define TE_LOW (-32768)
#define TE_HIGH 32767

#include "lstm_steps.h"
