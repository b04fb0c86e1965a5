"""The typed options of each operator; the order of the fields is the order of the slots in the file.

Enumerations are strings: `padding` is "SAME" or "VALID", `fused_activation_function` is "NONE", "RELU",
"RELU_N1_TO_1", "RELU6", "TANH" or "SIGN_BIT", data types are lower-case names such as "int8".
"""

from dataclasses import dataclass
from typing import Annotated

from tflite_export.flatbuffer import Bool, Empty, Float32, Float32s, Int32, Int32s, Int64, Name, Str, Uint32

PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
DATA_TYPES = (
    "float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8",
    "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16",
    "int2", "uint4", "float8_e4m3fn", "float8_e5m2",
)  # fmt: skip

Padding = Annotated[str, Name("padding", PADDINGS)]
Activation = Annotated[str, Name("fused activation", ACTIVATIONS)]
DataType = Annotated[str, Name("data type", DATA_TYPES)]
WeightsFormat = Annotated[str, Name("weights format", ("DEFAULT", "SHUFFLED4x16INT8"))]
MirrorMode = Annotated[str, Name("mirror padding mode", ("REFLECT", "SYMMETRIC"))]
KernelType = Annotated[str, Name("LSTM kernel", ("FULL", "BASIC"))]
HashType = Annotated[str, Name("hash projection", ("UNKNOWN", "SPARSE", "DENSE"))]
Combiner = Annotated[str, Name("embedding combiner", ("SUM", "MEAN", "SQRTN"))]


@dataclass(frozen=True)
class Conv2DOptions:
    """CONV_2D."""

    padding: Padding = "SAME"
    stride_w: Int32 = 0
    stride_h: Int32 = 0
    fused_activation_function: Activation = "NONE"
    dilation_w_factor: Int32 = 1
    dilation_h_factor: Int32 = 1
    quantized_bias_type: DataType = "float32"


@dataclass(frozen=True)
class DepthwiseConv2DOptions:
    """DEPTHWISE_CONV_2D; take the multiplier from the shapes, `depth_multiplier` may be 0."""

    padding: Padding = "SAME"
    stride_w: Int32 = 0
    stride_h: Int32 = 0
    depth_multiplier: Int32 = 0
    fused_activation_function: Activation = "NONE"
    dilation_w_factor: Int32 = 1
    dilation_h_factor: Int32 = 1


@dataclass(frozen=True)
class Conv3DOptions:
    """CONV_3D and CONV_3D_TRANSPOSE."""

    padding: Padding = "SAME"
    stride_d: Int32 = 0
    stride_w: Int32 = 0
    stride_h: Int32 = 0
    fused_activation_function: Activation = "NONE"
    dilation_d_factor: Int32 = 1
    dilation_w_factor: Int32 = 1
    dilation_h_factor: Int32 = 1


@dataclass(frozen=True)
class TransposeConvOptions:
    """TRANSPOSE_CONV."""

    padding: Padding = "SAME"
    stride_w: Int32 = 0
    stride_h: Int32 = 0
    fused_activation_function: Activation = "NONE"
    quantized_bias_type: DataType = "float32"


@dataclass(frozen=True)
class Pool2DOptions:
    """AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D."""

    padding: Padding = "SAME"
    stride_w: Int32 = 0
    stride_h: Int32 = 0
    filter_width: Int32 = 0
    filter_height: Int32 = 0
    fused_activation_function: Activation = "NONE"


@dataclass(frozen=True)
class FullyConnectedOptions:
    """FULLY_CONNECTED."""

    fused_activation_function: Activation = "NONE"
    weights_format: WeightsFormat = "DEFAULT"
    keep_num_dims: Bool = False
    asymmetric_quantize_inputs: Bool = False
    quantized_bias_type: DataType = "float32"


@dataclass(frozen=True)
class AddOptions:
    """ADD."""

    fused_activation_function: Activation = "NONE"
    pot_scale_int16: Bool = True


@dataclass(frozen=True)
class SubOptions:
    """SUB."""

    fused_activation_function: Activation = "NONE"
    pot_scale_int16: Bool = True


@dataclass(frozen=True)
class MulOptions:
    """MUL."""

    fused_activation_function: Activation = "NONE"


@dataclass(frozen=True)
class DivOptions:
    """DIV."""

    fused_activation_function: Activation = "NONE"


@dataclass(frozen=True)
class L2NormOptions:
    """L2_NORMALIZATION."""

    fused_activation_function: Activation = "NONE"


@dataclass(frozen=True)
class ConcatenationOptions:
    """CONCATENATION."""

    axis: Int32 = 0
    fused_activation_function: Activation = "NONE"


@dataclass(frozen=True)
class SoftmaxOptions:
    """SOFTMAX."""

    beta: Float32 = 0.0


@dataclass(frozen=True)
class SVDFOptions:
    """SVDF."""

    rank: Int32 = 0
    fused_activation_function: Activation = "NONE"
    asymmetric_quantize_inputs: Bool = False


@dataclass(frozen=True)
class RNNOptions:
    """RNN."""

    fused_activation_function: Activation = "NONE"
    asymmetric_quantize_inputs: Bool = False


@dataclass(frozen=True)
class SequenceRNNOptions:
    """UNIDIRECTIONAL_SEQUENCE_RNN."""

    time_major: Bool = False
    fused_activation_function: Activation = "NONE"
    asymmetric_quantize_inputs: Bool = False


@dataclass(frozen=True)
class BidirectionalSequenceRNNOptions:
    """BIDIRECTIONAL_SEQUENCE_RNN."""

    time_major: Bool = False
    fused_activation_function: Activation = "NONE"
    merge_outputs: Bool = False
    asymmetric_quantize_inputs: Bool = False


@dataclass(frozen=True)
class LSTMOptions:
    """LSTM."""

    fused_activation_function: Activation = "NONE"
    cell_clip: Float32 = 0.0
    proj_clip: Float32 = 0.0
    kernel_type: KernelType = "FULL"
    asymmetric_quantize_inputs: Bool = False


@dataclass(frozen=True)
class UnidirectionalSequenceLSTMOptions:
    """UNIDIRECTIONAL_SEQUENCE_LSTM."""

    fused_activation_function: Activation = "NONE"
    cell_clip: Float32 = 0.0
    proj_clip: Float32 = 0.0
    time_major: Bool = False
    asymmetric_quantize_inputs: Bool = False
    diagonal_recurrent_tensors: Bool = False


@dataclass(frozen=True)
class BidirectionalSequenceLSTMOptions:
    """BIDIRECTIONAL_SEQUENCE_LSTM."""

    fused_activation_function: Activation = "NONE"
    cell_clip: Float32 = 0.0
    proj_clip: Float32 = 0.0
    merge_outputs: Bool = False
    time_major: Bool = True
    asymmetric_quantize_inputs: Bool = False


@dataclass(frozen=True)
class LocalResponseNormalizationOptions:
    """LOCAL_RESPONSE_NORMALIZATION."""

    radius: Int32 = 0
    bias: Float32 = 0.0
    alpha: Float32 = 0.0
    beta: Float32 = 0.0


@dataclass(frozen=True)
class ResizeBilinearOptions:
    """RESIZE_BILINEAR; the first two slots are from an old form and no longer used."""

    new_height: Int32 = 0
    new_width: Int32 = 0
    align_corners: Bool = False
    half_pixel_centers: Bool = False


@dataclass(frozen=True)
class ResizeNearestNeighborOptions:
    """RESIZE_NEAREST_NEIGHBOR."""

    align_corners: Bool = False
    half_pixel_centers: Bool = False


@dataclass(frozen=True)
class ReshapeOptions:
    """RESHAPE; the output tensor's shape says the same."""

    new_shape: Int32s = ()


@dataclass(frozen=True)
class SqueezeOptions:
    """SQUEEZE."""

    squeeze_dims: Int32s = ()


@dataclass(frozen=True)
class StridedSliceOptions:
    """STRIDED_SLICE."""

    begin_mask: Int32 = 0
    end_mask: Int32 = 0
    ellipsis_mask: Int32 = 0
    new_axis_mask: Int32 = 0
    shrink_axis_mask: Int32 = 0
    offset: Bool = False


@dataclass(frozen=True)
class GatherOptions:
    """GATHER."""

    axis: Int32 = 0
    batch_dims: Int32 = 0


@dataclass(frozen=True)
class ReducerOptions:
    """MEAN, SUM and the other reductions."""

    keep_dims: Bool = False


@dataclass(frozen=True)
class SplitOptions:
    """SPLIT."""

    num_splits: Int32 = 0


@dataclass(frozen=True)
class SplitVOptions:
    """SPLIT_V."""

    num_splits: Int32 = 0


@dataclass(frozen=True)
class PackOptions:
    """PACK."""

    values_count: Int32 = 0
    axis: Int32 = 0


@dataclass(frozen=True)
class UnpackOptions:
    """UNPACK."""

    num: Int32 = 0
    axis: Int32 = 0


@dataclass(frozen=True)
class CastOptions:
    """CAST; the tensors' own types decide."""

    in_data_type: DataType = "float32"
    out_data_type: DataType = "float32"


@dataclass(frozen=True)
class ArgMaxOptions:
    """ARG_MAX."""

    output_type: DataType = "float32"


@dataclass(frozen=True)
class ArgMinOptions:
    """ARG_MIN."""

    output_type: DataType = "float32"


@dataclass(frozen=True)
class ShapeOptions:
    """SHAPE."""

    out_type: DataType = "float32"


@dataclass(frozen=True)
class UniqueOptions:
    """UNIQUE."""

    idx_out_type: DataType = "int32"


@dataclass(frozen=True)
class OneHotOptions:
    """ONE_HOT."""

    axis: Int32 = 0


@dataclass(frozen=True)
class LeakyReluOptions:
    """LEAKY_RELU."""

    alpha: Float32 = 0.0


@dataclass(frozen=True)
class GeluOptions:
    """GELU."""

    approximate: Bool = False


@dataclass(frozen=True)
class MirrorPadOptions:
    """MIRROR_PAD."""

    mode: MirrorMode = "REFLECT"


@dataclass(frozen=True)
class BatchMatMulOptions:
    """BATCH_MATMUL."""

    adj_x: Bool = False
    adj_y: Bool = False
    asymmetric_quantize_inputs: Bool = False


@dataclass(frozen=True)
class CumsumOptions:
    """CUMSUM."""

    exclusive: Bool = False
    reverse: Bool = False


@dataclass(frozen=True)
class SpaceToDepthOptions:
    """SPACE_TO_DEPTH."""

    block_size: Int32 = 0


@dataclass(frozen=True)
class DepthToSpaceOptions:
    """DEPTH_TO_SPACE."""

    block_size: Int32 = 0


@dataclass(frozen=True)
class ReverseSequenceOptions:
    """REVERSE_SEQUENCE."""

    seq_dim: Int32 = 0
    batch_dim: Int32 = 0


@dataclass(frozen=True)
class FakeQuantOptions:
    """FAKE_QUANT."""

    min: Float32 = 0.0
    max: Float32 = 0.0
    num_bits: Int32 = 0
    narrow_range: Bool = False


@dataclass(frozen=True)
class CallOptions:
    """CALL."""

    subgraph: Uint32 = 0


@dataclass(frozen=True)
class CallOnceOptions:
    """CALL_ONCE."""

    init_subgraph_index: Int32 = 0


@dataclass(frozen=True)
class IfOptions:
    """IF."""

    then_subgraph_index: Int32 = 0
    else_subgraph_index: Int32 = 0


@dataclass(frozen=True)
class WhileOptions:
    """WHILE."""

    cond_subgraph_index: Int32 = 0
    body_subgraph_index: Int32 = 0


@dataclass(frozen=True)
class VarHandleOptions:
    """VAR_HANDLE; equal names refer to the same variable, whatever the subgraph."""

    container: Str = ""
    shared_name: Str = ""


@dataclass(frozen=True)
class HashtableOptions:
    """HASHTABLE."""

    table_id: Int32 = 0
    key_dtype: DataType = "float32"
    value_dtype: DataType = "float32"


@dataclass(frozen=True)
class RandomOptions:
    """RANDOM_UNIFORM, RANDOM_STANDARD_NORMAL and MULTINOMIAL."""

    seed: Int64 = 0
    seed2: Int64 = 0


@dataclass(frozen=True)
class SparseToDenseOptions:
    """SPARSE_TO_DENSE."""

    validate_indices: Bool = False


@dataclass(frozen=True)
class ConcatEmbeddingsOptions:
    """CONCAT_EMBEDDINGS."""

    num_channels: Int32 = 0
    num_columns_per_channel: Int32s = ()
    embedding_dim_per_channel: Int32s = ()


@dataclass(frozen=True)
class LSHProjectionOptions:
    """LSH_PROJECTION."""

    type: HashType = "UNKNOWN"


@dataclass(frozen=True)
class SkipGramOptions:
    """SKIP_GRAM."""

    ngram_size: Int32 = 0
    max_skip_size: Int32 = 0
    include_all_ngrams: Bool = False


@dataclass(frozen=True)
class EmbeddingLookupSparseOptions:
    """EMBEDDING_LOOKUP_SPARSE."""

    combiner: Combiner = "SUM"


@dataclass(frozen=True)
class BucketizeOptions:
    """BUCKETIZE."""

    boundaries: Float32s = ()


# Number of the options in the file's union, their layout, and the operators they belong to.
_UNION = (
    (1, Conv2DOptions, "CONV_2D"),
    (2, DepthwiseConv2DOptions, "DEPTHWISE_CONV_2D"),
    (3, ConcatEmbeddingsOptions, "CONCAT_EMBEDDINGS"),
    (4, LSHProjectionOptions, "LSH_PROJECTION"),
    (5, Pool2DOptions, "AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D"),
    (6, SVDFOptions, "SVDF"),
    (7, RNNOptions, "RNN"),
    (8, FullyConnectedOptions, "FULLY_CONNECTED"),
    (9, SoftmaxOptions, "SOFTMAX"),
    (10, ConcatenationOptions, "CONCATENATION"),
    (11, AddOptions, "ADD"),
    (12, L2NormOptions, "L2_NORMALIZATION"),
    (13, LocalResponseNormalizationOptions, "LOCAL_RESPONSE_NORMALIZATION"),
    (14, LSTMOptions, "LSTM"),
    (15, ResizeBilinearOptions, "RESIZE_BILINEAR"),
    (16, CallOptions, "CALL"),
    (17, ReshapeOptions, "RESHAPE"),
    (18, SkipGramOptions, "SKIP_GRAM"),
    (19, SpaceToDepthOptions, "SPACE_TO_DEPTH"),
    (20, EmbeddingLookupSparseOptions, "EMBEDDING_LOOKUP_SPARSE"),
    (21, MulOptions, "MUL"),
    (22, Empty, "PAD"),
    (23, GatherOptions, "GATHER"),
    (24, Empty, "BATCH_TO_SPACE_ND"),
    (25, Empty, "SPACE_TO_BATCH_ND"),
    (26, Empty, "TRANSPOSE"),
    (27, ReducerOptions, "MEAN SUM REDUCE_PROD REDUCE_MAX REDUCE_MIN REDUCE_ANY REDUCE_ALL"),
    (28, SubOptions, "SUB"),
    (29, DivOptions, "DIV"),
    (30, SqueezeOptions, "SQUEEZE"),
    (31, SequenceRNNOptions, "UNIDIRECTIONAL_SEQUENCE_RNN"),
    (32, StridedSliceOptions, "STRIDED_SLICE"),
    (33, Empty, "EXP"),
    (34, Empty, "TOPK_V2"),
    (35, SplitOptions, "SPLIT"),
    (36, Empty, "LOG_SOFTMAX"),
    (37, CastOptions, "CAST"),
    (38, Empty, "DEQUANTIZE"),
    (39, Empty, "MAXIMUM MINIMUM"),
    (40, ArgMaxOptions, "ARG_MAX"),
    (41, Empty, "LESS"),
    (42, Empty, "NEG"),
    (43, Empty, "PADV2"),
    (44, Empty, "GREATER"),
    (45, Empty, "GREATER_EQUAL"),
    (46, Empty, "LESS_EQUAL"),
    (47, Empty, "SELECT"),
    (48, Empty, "SLICE"),
    (49, TransposeConvOptions, "TRANSPOSE_CONV"),
    (50, SparseToDenseOptions, "SPARSE_TO_DENSE"),
    (51, Empty, "TILE"),
    (52, Empty, "EXPAND_DIMS"),
    (53, Empty, "EQUAL"),
    (54, Empty, "NOT_EQUAL"),
    (55, ShapeOptions, "SHAPE"),
    (56, Empty, "POW"),
    (57, ArgMinOptions, "ARG_MIN"),
    (58, FakeQuantOptions, "FAKE_QUANT"),
    (59, PackOptions, "PACK"),
    (60, Empty, "LOGICAL_OR"),
    (61, OneHotOptions, "ONE_HOT"),
    (62, Empty, "LOGICAL_AND"),
    (63, Empty, "LOGICAL_NOT"),
    (64, UnpackOptions, "UNPACK"),
    (65, Empty, "FLOOR_DIV"),
    (66, Empty, "SQUARE"),
    (67, Empty, "ZEROS_LIKE"),
    (68, Empty, "FILL"),
    (69, BidirectionalSequenceLSTMOptions, "BIDIRECTIONAL_SEQUENCE_LSTM"),
    (70, BidirectionalSequenceRNNOptions, "BIDIRECTIONAL_SEQUENCE_RNN"),
    (71, UnidirectionalSequenceLSTMOptions, "UNIDIRECTIONAL_SEQUENCE_LSTM"),
    (72, Empty, "FLOOR_MOD"),
    (73, Empty, "RANGE"),
    (74, ResizeNearestNeighborOptions, "RESIZE_NEAREST_NEIGHBOR"),
    (75, LeakyReluOptions, "LEAKY_RELU"),
    (76, Empty, "SQUARED_DIFFERENCE"),
    (77, MirrorPadOptions, "MIRROR_PAD"),
    (78, Empty, "ABS"),
    (79, SplitVOptions, "SPLIT_V"),
    (80, UniqueOptions, "UNIQUE"),
    (81, Empty, "REVERSE_V2"),
    (82, Empty, "ADD_N"),
    (83, Empty, "GATHER_ND"),
    (84, Empty, "COS"),
    (85, Empty, "WHERE"),
    (86, Empty, "RANK"),
    (87, ReverseSequenceOptions, "REVERSE_SEQUENCE"),
    (88, Empty, "MATRIX_DIAG"),
    (89, Empty, "QUANTIZE"),
    (90, Empty, "MATRIX_SET_DIAG"),
    (91, Empty, "HARD_SWISH"),
    (92, IfOptions, "IF"),
    (93, WhileOptions, "WHILE"),
    (94, DepthToSpaceOptions, "DEPTH_TO_SPACE"),
    (95, Empty, "NON_MAX_SUPPRESSION_V4"),
    (96, Empty, "NON_MAX_SUPPRESSION_V5"),
    (97, Empty, "SCATTER_ND"),
    (98, Empty, "SELECT_V2"),
    (99, Empty, "DENSIFY"),
    (100, Empty, "SEGMENT_SUM"),
    (101, BatchMatMulOptions, "BATCH_MATMUL"),
    (102, CumsumOptions, "CUMSUM"),
    (103, CallOnceOptions, "CALL_ONCE"),
    (104, Empty, "BROADCAST_TO"),
    (105, Empty, "RFFT2D"),
    (106, Conv3DOptions, "CONV_3D CONV_3D_TRANSPOSE"),
    (107, HashtableOptions, "HASHTABLE"),
    (108, Empty, "HASHTABLE_FIND"),
    (109, Empty, "HASHTABLE_IMPORT"),
    (110, Empty, "HASHTABLE_SIZE"),
    (111, VarHandleOptions, "VAR_HANDLE"),
    (112, Empty, "READ_VARIABLE"),
    (113, Empty, "ASSIGN_VARIABLE"),
    (114, RandomOptions, "RANDOM_UNIFORM RANDOM_STANDARD_NORMAL MULTINOMIAL"),
    (115, BucketizeOptions, "BUCKETIZE"),
    (116, GeluOptions, "GELU"),
    (117, Empty, "DYNAMIC_UPDATE_SLICE"),
    (118, Empty, "UNSORTED_SEGMENT_PROD"),
    (119, Empty, "UNSORTED_SEGMENT_MAX"),
    (120, Empty, "UNSORTED_SEGMENT_MIN"),
    (121, Empty, "UNSORTED_SEGMENT_SUM"),
    (122, Empty, "ATAN2"),
    (123, Empty, "SIGN"),
    (124, Empty, "BITCAST"),
    (125, Empty, "BITWISE_XOR"),
    (126, Empty, "RIGHT_SHIFT"),
)

OPTIONS_BY_NUMBER = {number: table for number, table, _ in _UNION}
NUMBER_BY_OPERATOR = {code: number for number, _, codes in _UNION for code in codes.split()}
