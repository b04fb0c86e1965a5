"""The tables of a `.tflite` file; the order of the fields is the order of the slots."""

from dataclasses import dataclass
from typing import Annotated

from tflite_export.flatbuffer import (
    Bool,
    Bytes,
    Child,
    Children,
    Choice,
    Chosen,
    Data,
    Float32Array,
    Int8,
    Int32,
    Int32Array,
    Int32s,
    Int64Array,
    Name,
    Raw,
    RequiredInt32s,
    Uint8,
    Uint16Array,
    Uint32,
    Uint64,
)
from tflite_export.options import OPTIONS_BY_NUMBER, DataType

IDENTIFIER = b"TFL3"
VERSION = 3
_STABLEHLO = (
    "LOGISTIC ADD DIVIDE MULTIPLY MAXIMUM RESHAPE CLAMP CONCATENATE BROADCAST_IN_DIM CONVOLUTION SLICE "
    "CUSTOM_CALL REDUCE ABS AND COSINE EXPONENTIAL FLOOR LOG MINIMUM NEGATE OR POWER REMAINDER RSQRT SELECT "
    "SUBTRACT TANH SCATTER COMPARE CONVERT DYNAMIC_SLICE DYNAMIC_UPDATE_SLICE PAD IOTA DOT_GENERAL "
    "REDUCE_WINDOW SORT WHILE GATHER TRANSPOSE"
)
_BUILTIN = (
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE "
    "EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D "
    "LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 "
    "RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM "
    "EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND "
    "TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN "
    "EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX "
    "MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV "
    "SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT "
    "REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV "
    "REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU "
    "SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU "
    "REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE "
    "NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL "
    "PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS "
    "HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE "
    "READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM "
    "MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX "
    "UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT"
)
OPERATORS = (
    *_BUILTIN.split(),
    *(f"STABLEHLO_{name}" for name in _STABLEHLO.split()),
    "DILATE",
    "STABLEHLO_RNG_BIT_GENERATOR",
    "REDUCE_WINDOW",
    "STABLEHLO_COMPOSITE",
    "STABLEHLO_SHIFT_LEFT",
    "STABLEHLO_CBRT",
    "STABLEHLO_CASE",
)
OperatorName = Annotated[str, Name("operator", OPERATORS, "i")]
DimensionFormat = Annotated[str, Name("dimension format", ("DENSE", "SPARSE_CSR"))]


@dataclass(frozen=True)
class BufferTable:
    """Constant data, in the file's tables or, beyond 2 GB, at `offset` of the file."""

    data: Data = None
    offset: Uint64 = 0
    size: Uint64 = 0


@dataclass(frozen=True)
class CustomQuantizationTable:
    """Somebody else's quantization."""

    custom: Bytes = None


@dataclass(frozen=True)
class BlockwiseQuantizationTable:
    """Scales for blocks of a weight, held in other tensors."""

    scales: Int32 = 0
    zero_points: Int32 = 0
    block_size: Int32 = 0


Details = Annotated[
    Chosen,
    Choice("quantization details", {1: CustomQuantizationTable, 2: BlockwiseQuantizationTable}),
]


@dataclass(frozen=True)
class QuantizationTable:
    """Ranges, scales and zero points."""

    min: Float32Array = None
    max: Float32Array = None
    scale: Float32Array = None
    zero_point: Int64Array = None
    details: Details = Chosen(0, None)  # noqa: RUF009 - frozen
    quantized_dimension: Int32 = 0


@dataclass(frozen=True)
class Int32VectorTable:
    """Indices of a sparse dimension."""

    values: Int32Array = None


@dataclass(frozen=True)
class Uint16VectorTable:
    """Indices of a sparse dimension."""

    values: Uint16Array = None


@dataclass(frozen=True)
class Uint8VectorTable:
    """Indices of a sparse dimension."""

    values: Bytes = None


Indices = Annotated[
    Chosen,
    Choice("sparse indices", {1: Int32VectorTable, 2: Uint16VectorTable, 3: Uint8VectorTable}),
]


@dataclass(frozen=True)
class DimensionTable:
    """How one dimension of a sparse tensor is stored."""

    format: DimensionFormat = "DENSE"
    dense_size: Int32 = 0
    array_segments: Indices = Chosen(0, None)  # noqa: RUF009 - frozen
    array_indices: Indices = Chosen(0, None)  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class SparsityTable:
    """The sparse encoding of a constant."""

    traversal_order: Int32Array = None
    block_map: Int32Array = None
    dim_metadata: Annotated[tuple[DimensionTable, ...], Children(DimensionTable)] = ()


@dataclass(frozen=True)
class VariantTable:
    """The type inside a variant tensor."""

    shape: Int32s = ()
    type: DataType = "float32"
    has_rank: Bool = False


@dataclass(frozen=True)
class TensorTable:
    """One tensor."""

    shape: RequiredInt32s = ()
    type: DataType = "float32"
    buffer: Uint32 = 0
    name: Raw = b""
    quantization: Annotated[QuantizationTable | None, Child(QuantizationTable)] = None
    is_variable: Bool = False
    sparsity: Annotated[SparsityTable | None, Child(SparsityTable)] = None
    shape_signature: Int32s = ()
    has_rank: Bool = False
    variant_tensors: Annotated[tuple[VariantTable, ...], Children(VariantTable)] = ()
    external_buffer: Uint32 = 0


@dataclass(frozen=True)
class OperatorCodeTable:
    """Which operator; old files have only the first slot, so the larger of the two counts."""

    deprecated_builtin_code: Int8 = 0
    custom_code: Raw = b""
    version: Int32 = 1
    builtin_code: OperatorName = "ADD"


@dataclass(frozen=True)
class OperatorTable:
    """One operator of a subgraph."""

    opcode_index: Uint32 = 0
    inputs: RequiredInt32s = ()
    outputs: RequiredInt32s = ()
    builtin_options: Annotated[Chosen, Choice("operator options", OPTIONS_BY_NUMBER)] = Chosen(0, None)  # noqa: RUF009
    custom_options: Bytes = None
    custom_options_format: Int8 = 0
    mutating_variable_inputs: Bytes = None
    intermediates: Int32s = ()
    large_custom_options_offset: Uint64 = 0
    large_custom_options_size: Uint64 = 0
    builtin_options_2: Annotated[Chosen, Choice("operator options", {})] = Chosen(0, None)  # noqa: RUF009
    debug_metadata_index: Int32 = -1


@dataclass(frozen=True)
class SubGraphTable:
    """Tensors and operators."""

    tensors: Annotated[tuple[TensorTable, ...], Children(TensorTable, required=True)] = ()
    inputs: RequiredInt32s = ()
    outputs: RequiredInt32s = ()
    operators: Annotated[tuple[OperatorTable, ...], Children(OperatorTable, required=True)] = ()
    name: Raw = b""
    debug_metadata_index: Int32 = -1


@dataclass(frozen=True)
class MetadataTable:
    """A named buffer."""

    name: Raw = b""
    buffer: Uint32 = 0


@dataclass(frozen=True)
class TensorMapTable:
    """A tensor's name in a signature."""

    name: Raw = b""
    tensor_index: Uint32 = 0


@dataclass(frozen=True)
class SignatureTable:
    """Names for a subgraph's inputs and outputs; the fourth slot is no longer used."""

    inputs: Annotated[tuple[TensorMapTable, ...], Children(TensorMapTable, required=True)] = ()
    outputs: Annotated[tuple[TensorMapTable, ...], Children(TensorMapTable, required=True)] = ()
    signature_key: Raw = b""
    retired: Uint8 = 0
    subgraph_index: Uint32 = 0


@dataclass(frozen=True)
class ModelTable:
    """The root of the file."""

    version: Uint32 = 0
    operator_codes: Annotated[tuple[OperatorCodeTable, ...], Children(OperatorCodeTable, required=True)] = ()
    subgraphs: Annotated[tuple[SubGraphTable, ...], Children(SubGraphTable, required=True)] = ()
    description: Raw = b""
    buffers: Annotated[tuple[BufferTable, ...], Children(BufferTable, required=True)] = ()
    metadata_buffer: Int32s = ()
    metadata: Annotated[tuple[MetadataTable, ...], Children(MetadataTable)] = ()
    signature_defs: Annotated[tuple[SignatureTable, ...], Children(SignatureTable)] = ()
